"""httpx, synchronous and asynchronous."""

import asyncio
from typing import Self

import httpx

from tests.contract.harness.base import Behaviour, ClientHarness, Reply
from tests.contract.harness.peer import HttpPeer


class _Httpx(ClientHarness):
    library = "httpx"
    transport = "http"
    operation = "GET"
    timeout_error = httpx.TimeoutException
    connection_error = httpx.ConnectError

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


class HttpxSync(_Httpx):
    cancelled_class = "timeout"

    async def _get(self, url: str, headers: object, timeout: float) -> Reply:
        def get() -> Reply:
            with httpx.Client(trust_env=False) as client:
                answer = client.get(url, headers=headers, timeout=timeout)  # type: ignore[arg-type]
            return Reply(dict(answer.headers), answer.status_code)

        self._call = asyncio.create_task(asyncio.to_thread(get))
        return await asyncio.shield(self._call)

    async def settled(self) -> None:
        await asyncio.wait([self._call])
        self._call.exception()


class HttpxAsync(_Httpx):
    async def _get(self, url: str, headers: object, timeout: float) -> Reply:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers=headers, timeout=timeout)  # type: ignore[arg-type]
        return Reply(dict(answer.headers), answer.status_code)
