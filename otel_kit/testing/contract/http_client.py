"""HTTP clients against a peer made of sockets."""

import asyncio
from typing import Self

from otel_kit.testing.contract.base import Behaviour, ClientHarness, Reply
from otel_kit.testing.contract.http_peer import HttpPeer


class HttpClient(ClientHarness):
    """A client that makes each request with `_get`."""

    transport = "http"
    operation = "GET"

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


class ThreadedHttpClient(HttpClient):
    """A synchronous one, in a thread of its own for each request."""

    cancelled_class = "timeout"

    async def _get(self, url: str, headers: object, timeout: float) -> Reply:
        self._call = asyncio.create_task(asyncio.to_thread(self._got, url, headers, timeout))
        return await asyncio.shield(self._call)

    def _got(self, url: str, headers: object, timeout: float) -> Reply:
        raise NotImplementedError

    async def settled(self) -> None:
        await asyncio.wait([self._call])
        self._call.exception()
