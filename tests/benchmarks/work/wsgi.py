"""A Flask application of one route, called as a WSGI server calls it."""

import io
from collections.abc import Sequence
from typing import Any

from flask import Flask

from tests.benchmarks.work.base import HEADERS, Work


class Wsgi(Work):
    name = "wsgi"

    async def open(self) -> None:
        app = Flask("orders")

        @app.get("/orders/<order_id>")
        def order(order_id: str) -> dict[str, str]:
            return {"id": order_id}

        self.peer.instrument_app(self.name, app)
        self._app = app

    async def burst(self, count: int) -> None:
        for _ in range(count):
            parts = self._app(_environ(), _start_response)
            b"".join(parts)
            if (close := getattr(parts, "close", None)) is not None:
                close()


def _environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/orders/7",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()},
    }


def _start_response(status: str, headers: Sequence[object], exc_info: object = None) -> Any:
    assert status.startswith("200"), status
    return lambda data: None


work = Wsgi
