"""httpx, synchronous and asynchronous."""

from typing import Any

import httpx

from otel_kit.testing.contract.base import Reply
from otel_kit.testing.contract.http_client import HttpClient, ThreadedHttpClient


class HttpxSync(ThreadedHttpClient):
    library = "httpx"
    timeout_error = httpx.TimeoutException
    connection_error = httpx.ConnectError
    broken_error = httpx.RemoteProtocolError

    def _got(self, url: str, headers: Any, timeout: float) -> Reply:
        with httpx.Client(trust_env=False) as client:
            answer = client.get(url, headers=headers, timeout=timeout)
        return Reply(dict(answer.headers), answer.status_code)

    def _read(self, url: str, stop: bytes) -> None:
        with httpx.Client(trust_env=False) as client, client.stream("GET", url) as answer:
            for part in answer.iter_bytes():
                if self.arrived(part, stop):
                    break


class HttpxAsync(HttpClient):
    library = "httpx"
    timeout_error = httpx.TimeoutException
    connection_error = httpx.ConnectError
    broken_error = httpx.RemoteProtocolError

    async def _get(self, url: str, headers: Any, timeout: float) -> Reply:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers=headers, timeout=timeout)
        return Reply(dict(answer.headers), answer.status_code)

    async def _read_events(self, url: str, stop: bytes) -> None:
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("GET", url) as answer,
        ):
            async for part in answer.aiter_bytes():
                if self.arrived(part, stop):
                    break
