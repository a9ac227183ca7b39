"""HTTP clients against a peer made of sockets."""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Self

from otel_kit.testing.contract.base import Behaviour, ClientHarness, Reply
from otel_kit.testing.contract.http_peer import HttpPeer


class HttpClient(ClientHarness):
    """A client that makes each request with `_get`."""

    transport = "http"
    operation = "GET"
    broken_error: ClassVar[type[BaseException]]
    """What reading raises when an event stream breaks off."""

    def __init__(self) -> None:
        super().__init__()
        self.received = b""
        """What was read of event streams."""
        self.on_part: Callable[[], None] = lambda: None
        """Called when a part has been read."""

    async def __aenter__(self) -> Self:
        self._peer = HttpPeer(self)
        await self._peer.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._peer.stop()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._peer.port}"

    async def request(
        self, behaviour: Behaviour, *, headers: object = None, timeout: float = 30
    ) -> Reply:
        return await self._get(f"http://{self.address}/{behaviour}", headers, timeout)

    def native_headers(self, headers: dict[str, str]) -> object:
        return dict(headers)

    async def unreachable(self) -> None:
        await self._get("http://127.0.0.1:1/ok", None, 5)

    async def _get(self, url: str, headers: object, timeout: float) -> Reply:
        raise NotImplementedError

    async def read_events(self, behaviour: Behaviour, *, stop: bytes = b"never") -> None:
        """Read an event stream as it comes, and leave it when `stop` has arrived."""
        await self._read_events(f"http://{self.address}/{behaviour}", stop)

    async def _read_events(self, url: str, stop: bytes) -> None:
        raise NotImplementedError

    def arrived(self, part: bytes, stop: bytes) -> bool:
        """A part is in the hands of the application: whether it has enough."""
        self.received += part
        self.on_part()
        return stop in self.received


class ThreadedHttpClient(HttpClient):
    """A synchronous one, in a thread of its own for each request."""

    cancelled_class = "timeout"

    async def _get(self, url: str, headers: object, timeout: float) -> Reply:
        self._call = asyncio.create_task(asyncio.to_thread(self._got, url, headers, timeout))
        return await asyncio.shield(self._call)

    async def _read_events(self, url: str, stop: bytes) -> None:
        await asyncio.to_thread(self._read, url, stop)

    def _read(self, url: str, stop: bytes) -> None:
        raise NotImplementedError

    def _got(self, url: str, headers: object, timeout: float) -> Reply:
        raise NotImplementedError

    async def settled(self) -> None:
        await asyncio.wait([self._call])
        self._call.exception()
