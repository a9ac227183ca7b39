"""requests, in a thread of its own for each call."""

import asyncio
from typing import Self

import requests

from tests.contract.harness.base import Behaviour, ClientHarness, Reply
from tests.contract.harness.peer import HttpPeer


class Requests(ClientHarness):
    library = "requests"
    transport = "http"
    operation = "GET"
    timeout_error = requests.Timeout
    connection_error = requests.ConnectionError
    cancelled_class = "timeout"

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

    async def settled(self) -> None:
        await asyncio.wait([self._call])
        self._call.exception()

    async def unreachable(self) -> None:
        await self._get("http://127.0.0.1:1/ok", None, 5)

    async def _get(self, url: str, headers: object, timeout: float) -> Reply:
        def get() -> Reply:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(url, headers=headers, timeout=timeout)  # type: ignore[arg-type]
            return Reply({k.lower(): v for k, v in answer.headers.items()}, answer.status_code)

        self._call = asyncio.create_task(asyncio.to_thread(get))
        return await asyncio.shield(self._call)
