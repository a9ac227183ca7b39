"""moto's server mode: SQS, SNS and other services of AWS in a process of its own."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

import pytest

from collector.stack.process import HOST
from tests.servers.base import Server


class Moto(Server):
    name = "moto"
    program = sys.executable
    package = "python3-moto"

    def __init__(self) -> None:
        if find_spec("moto") is None:
            pytest.skip("moto is not here: pip install moto flask flask-cors")
        super().__init__()

    @property
    def url(self) -> str:
        """What a client takes for AWS."""
        return f"http://{self.address}"

    def command(self, program: str) -> Sequence[str]:
        return [program, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]
