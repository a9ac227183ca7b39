"""PostgreSQL, with a database of its own."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from os import geteuid
from pathlib import Path
from typing import Final

import psycopg

from collector.stack.process import HOST
from tests.servers.base import Server

_DEBIANS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
_USER: Final = "postgres"
_LIMIT: Final = 20.0


class PostgreSQL(Server):
    name = "PostgreSQL"
    program = str(_DEBIANS[-1]) if _DEBIANS else "postgres"  # Debian has it on nobody's path
    package = "postgresql"

    def command(self, program: str) -> Sequence[str]:
        data = self.folder / "data"
        data.mkdir()
        as_user: list[str] = []
        if geteuid() == 0:  # it refuses to run as root
            as_user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
            self.folder.chmod(0o755)
            shutil.chown(data, _USER)
        initdb = str(Path(program).with_name("initdb"))
        init = [initdb, "-D", str(data), "-U", _USER, "-A", "trust", "--no-sync"]
        subprocess.run([*as_user, *init], check=True, capture_output=True, cwd="/")
        listens = ["-h", HOST, "-p", str(self.port), "-c", "unix_socket_directories="]
        return [*as_user, program, "-D", str(data), *listens, "-c", "fsync=off"]

    def start(self) -> None:
        super().start()
        end = time.monotonic() + _LIMIT
        while time.monotonic() < end:
            with suppress(psycopg.OperationalError):  # it listens before it has started
                self.connect().close()
                return
        raise AssertionError("PostgreSQL refuses connections")

    def close(self) -> None:
        self.kill()  # otherwise it waits for its clients
        super().close()

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection of the driver's."""
        return psycopg.connect(self.place)

    @property
    def place(self) -> str:
        """For the driver."""
        return f"host={HOST} port={self.port} user={_USER} dbname={_USER}"

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"postgresql+psycopg://{_USER}@{self.address}/{_USER}"
