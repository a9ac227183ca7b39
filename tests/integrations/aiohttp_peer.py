"""Servers that are not instrumented, for aiohttp's client: one of aiohttp, one of sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing import Telemetry
from tests.integrations.aiohttp_app import serving

CLIENT = SpanKind.CLIENT
Answer = Callable[[web.Request], web.StreamResponse]


class Peer:
    """A server that is not instrumented; remembers the requests that it got."""

    def __init__(self, answer: Answer = lambda _: web.Response(text="ok")) -> None:
        self.answer, self.seen = answer, list[web.Request]()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """The address of the server while it runs."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        async with serving(app) as port:
            yield f"http://127.0.0.1:{port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if request.path == "/ws":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str((await socket.receive()).data)
            await socket.close()
            return socket
        return self.answer(request)


@asynccontextmanager
async def sockets(serve: Callable[[asyncio.StreamReader], Awaitable[bytes]]) -> AsyncIterator[str]:
    """A server that answers what `serve` says, nothing and it closes; at the end all is closed."""
    connections: list[Any] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while answer := await serve(reader):
                writer.write(answer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await asyncio.gather(*connections)


def attributes(telemetry: Telemetry) -> dict[str, Any]:
    return dict(telemetry.span(kind=CLIENT).attributes or {})


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, side="client", **labels)
