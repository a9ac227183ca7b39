"""A requests.Session down to http.client, which Sentry patches; only the socket is stubbed."""

import io
from typing import Any

import requests
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from tests.benchmarks.work.base import Work

_ANSWER = (
    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"id":"7"}'
)


class _Socket:
    def sendall(self, data: bytes) -> None: ...

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(_ANSWER)

    def settimeout(self, seconds: float | None) -> None: ...

    def close(self) -> None: ...


class _Connection(HTTPConnection):
    sock: Any

    def connect(self) -> None:
        self.sock = _Socket()

    @property
    def is_connected(self) -> bool:
        return self.sock is not None


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class Requests(Work):
    name = "requests"

    async def open(self) -> None:
        self._session = requests.Session()
        adapter: Any = self._session.get_adapter("http://")
        adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool}

    async def burst(self, count: int) -> None:
        for _ in range(count):
            assert self._session.get("http://orders.example/orders/7").status_code == 200

    async def close(self) -> None:
        self._session.close()


work = Requests
