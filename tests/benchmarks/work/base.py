"""What a kind of work is."""

from typing import Final

from tests.benchmarks.peers.base import Peer

PACKAGES: Final = ("fastapi", "uvicorn", "flask", "httpx", "requests", "grpcio", "aiokafka")
"""Every subject's environment has these."""
HEADERS: Final = {
    "host": "orders.example",
    "user-agent": "python-httpx/0.28.1",
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
}
"""Of a request from outside: no trace context, so that the subject decides what is sampled."""


class Work:
    """Hops of one kind, in bursts.  `broker` is "address/empty topic/full topic" of a Kafka."""

    name: str

    def __init__(self, peer: Peer, broker: str) -> None:
        self.peer, self.broker = peer, broker

    async def open(self) -> None:
        """Everything that is not part of a hop."""

    async def burst(self, count: int) -> None:
        """So many hops, each ended when this returns."""
        raise NotImplementedError

    async def close(self) -> None:
        """Free what `open` took."""
