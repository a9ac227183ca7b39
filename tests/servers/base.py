"""A real server on a free loopback port, in a temporary folder of its own."""

import atexit
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import pytest

from collector.stack.process import HOST, Process, free_port

S = TypeVar("S", bound="Server")


class Server(ABC):
    """Started once per process of tests (`shared`), or for one test that is to harm it.

    It keeps its port and its folder when it is killed and started again.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    """What is started: a name on the path, or an absolute one."""
    package: ClassVar[str]
    """Debian's package that has it."""

    def __init__(self) -> None:
        found = shutil.which(self.program)
        if found is None:
            pytest.skip(f"{self.name} is not here: apt-get install {self.package}")
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name.lower()}-"))
        self._process = Process(
            self.name.lower(), self.command(found), self.folder, self.ready(), self.environment()
        )

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    @abstractmethod
    def command(self, program: str) -> Sequence[str]:
        """What starts it; called once, before the first start."""

    def environment(self) -> Mapping[str, str]:
        """What it needs in its environment."""
        return {}

    def ready(self) -> str:
        """Where it answers when it is ready: `host:port`, or an HTTP address."""
        return self.address

    def start(self) -> None:
        """Start, or start again; returns when it is ready."""
        self._process.start()

    def kill(self) -> None:
        """End it without a chance to finish anything."""
        self._process.kill()

    def close(self) -> None:
        """End it; what it kept is gone."""
        self._process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @classmethod
    def shared(cls) -> Self:
        """The one of this process."""
        return _shared(cls)


@cache
def _shared(kind: type[S]) -> S:
    server = kind()
    atexit.register(server.close)
    server.start()
    return server
