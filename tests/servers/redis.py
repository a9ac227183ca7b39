"""Redis, which keeps on disk all that it has confirmed."""

from collections.abc import Sequence

from collector.stack.process import HOST
from tests.servers.base import Server


class Redis(Server):
    name = "Redis"
    program = "redis-server"
    package = "redis-server"

    def command(self, program: str) -> Sequence[str]:
        kept = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")
        return (program, "--bind", HOST, "--port", str(self.port), *kept)
