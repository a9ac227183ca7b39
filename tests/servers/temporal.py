"""Temporal's own test server, from Maven."""

from collections.abc import Sequence
from typing import ClassVar

from tests.servers.base import Server
from tests.servers.fetched import jars


class Temporal(Server):
    """In memory, in real time."""

    name: ClassVar[str] = "Temporal"
    program: ClassVar[str] = "java"
    package: ClassVar[str] = "default-jre-headless"

    def command(self, program: str) -> Sequence[str]:
        main = "io.temporal.testserver.TestServer"
        return [program, "-Xmx256m", "-cp", f"{jars('temporal')}/*", main, str(self.port)]
