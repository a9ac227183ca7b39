"""httpx, synchronous and asynchronous."""

from typing import Any

import httpx

from otel_kit.testing.contract.base import Reply
from otel_kit.testing.contract.http_client import HttpClient, ThreadedHttpClient


class HttpxSync(ThreadedHttpClient):
    library = "httpx"
    timeout_error = httpx.TimeoutException
    connection_error = httpx.ConnectError

    def _got(self, url: str, headers: Any, timeout: float) -> Reply:
        with httpx.Client(trust_env=False) as client:
            answer = client.get(url, headers=headers, timeout=timeout)
        return Reply(dict(answer.headers), answer.status_code)


class HttpxAsync(HttpClient):
    library = "httpx"
    timeout_error = httpx.TimeoutException
    connection_error = httpx.ConnectError

    async def _get(self, url: str, headers: Any, timeout: float) -> Reply:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers=headers, timeout=timeout)
        return Reply(dict(answer.headers), answer.status_code)
