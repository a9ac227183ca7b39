"""urllib3, in a thread of its own for each call: by a manager of pools, and by one pool."""

from typing import Any
from urllib.parse import urlsplit

import urllib3

from otel_kit.testing.contract.base import Reply
from otel_kit.testing.contract.http_client import ThreadedHttpClient


class _Urllib3(ThreadedHttpClient):
    library = "urllib3"
    timeout_error = urllib3.exceptions.ReadTimeoutError
    connection_error = urllib3.exceptions.NewConnectionError

    def _reply(self, answer: Any) -> Reply:
        return Reply({k.lower(): v for k, v in answer.headers.items()}, answer.status)


class Urllib3Manager(_Urllib3):
    def _got(self, url: str, headers: Any, timeout: float) -> Reply:
        with urllib3.PoolManager(retries=False, timeout=timeout) as manager:
            return self._reply(manager.request("GET", url, headers=headers))


class Urllib3Pool(_Urllib3):
    def _got(self, url: str, headers: Any, timeout: float) -> Reply:
        with urllib3.connection_from_url(url, retries=False, timeout=timeout) as pool:
            return self._reply(pool.request("GET", urlsplit(url).path, headers=headers))
