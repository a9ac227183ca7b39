"""httpx.AsyncClient with its own transport; only the connections below are stubbed."""

from collections.abc import AsyncIterator

import httpcore
import httpx

from tests.benchmarks.work.base import Work


class _Pool(httpcore.AsyncConnectionPool):
    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"10")]
        return httpcore.Response(200, headers=headers, content=_body())


async def _body() -> AsyncIterator[bytes]:
    yield b'{"id":"7"}'


class Httpx(Work):
    name = "httpx"

    async def open(self) -> None:
        transport = httpx.AsyncHTTPTransport()
        transport._pool = _Pool()
        self._client = httpx.AsyncClient(transport=transport)

    async def burst(self, count: int) -> None:
        for _ in range(count):
            answer = await self._client.get("http://orders.example/orders/7")
            assert answer.status_code == 200

    async def close(self) -> None:
        await self._client.aclose()


work = Httpx
