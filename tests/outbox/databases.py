"""Real databases, by DB-API: SQLite in a file, and Debian's PostgreSQL on a socket of its own."""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from os import geteuid
from pathlib import Path
from typing import Any

import psycopg

MISSING = "PostgreSQL is not here: apt-get install postgresql"
SCHEMA = "CREATE TABLE outbox (id {key}, topic TEXT NOT NULL, body TEXT, headers {json})"


@dataclass
class Database:
    """One database; each connection is the driver's own, and begins a transaction by itself."""

    place: str

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"sqlite:///{self.place}"

    def connect(self) -> Any:
        return sqlite3.connect(self.place, check_same_thread=False)

    def sql(self, statement: str) -> str:
        """With this driver's placeholders and types."""
        return statement.format(key="INTEGER PRIMARY KEY", json="TEXT", p="?")


class PostgreSQL(Database):
    @cached_property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self.place}"

    def connect(self) -> Any:
        return psycopg.connect(host=self.place, user="postgres", dbname="postgres")

    def sql(self, statement: str) -> str:
        return statement.format(key="SERIAL PRIMARY KEY", json="JSONB", p="%s")


def programs() -> Path | None:
    """Where Debian has PostgreSQL's, which are in nobody's PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A server that listens on a socket in a folder of its own.  It refuses to run as root."""
    path = programs()
    assert path is not None, MISSING
    who: dict[str, Any] = {"user": "postgres", "cwd": "/"} if geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if who:
            shutil.chown(folder, who["user"])
        init = [path / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run(init, check=True, capture_output=True, **who)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        control = [path / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log"]
        subprocess.run([*control, "-o", options, "start"], check=True, **_quiet, **who)
        try:
            yield PostgreSQL(str(folder))
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **_quiet, **who)
    finally:
        shutil.rmtree(folder)


_quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
