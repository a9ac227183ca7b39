"""Temporal's own test server, from Maven."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.servers.base import Server
from tests.servers.fetched import fetched

_POM = Path(__file__).parent / "temporal_server" / "pom.xml"
_FETCH = ("mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies")
_INTO_LIB = ("-DincludeScope=runtime", "-DoutputDirectory=lib")


class Temporal(Server):
    """In memory, in real time."""

    name: ClassVar[str] = "Temporal"
    program: ClassVar[str] = "java"
    package: ClassVar[str] = "default-jre-headless"

    def command(self, program: str) -> Sequence[str]:
        jars = fetched("temporal", [_POM], [*_FETCH, *_INTO_LIB], "lib", ["java", "mvn"])
        main = "io.temporal.testserver.TestServer"
        return [program, "-Xmx256m", "-cp", f"{jars}/*", main, str(self.port)]
