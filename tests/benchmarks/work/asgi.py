"""A FastAPI application of one route, called as an ASGI server calls it."""

import asyncio
from typing import Any

from fastapi import FastAPI

from tests.benchmarks.work.base import HEADERS, Work


def application() -> FastAPI:
    """One route with a parameter."""
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def order(order_id: str) -> dict[str, str]:
        return {"id": order_id}

    return app


class Asgi(Work):
    name = "asgi"

    async def open(self) -> None:
        self._app = application()
        self.peer.instrument_app(self.name, self._app)
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._lifespan = asyncio.create_task(self._live())
        await self._started.wait()

    async def _live(self) -> None:
        async def send(message: dict[str, Any]) -> None:
            assert not message["type"].endswith("failed"), message
            self._started.set()

        self._messages.put_nowait({"type": "lifespan.startup"})
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        await self._app(scope, self._messages.get, send)  # type: ignore[arg-type]

    async def burst(self, count: int) -> None:
        for _ in range(count):
            await self._app(_scope(), _receive, _send)  # type: ignore[arg-type]

    async def close(self) -> None:
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        await self._lifespan


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/orders/7",
        "raw_path": b"/orders/7",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: dict[str, Any]) -> None:
    assert message.get("status", 200) == 200


work = Asgi
