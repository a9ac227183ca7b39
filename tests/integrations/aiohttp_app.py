"""An aiohttp application on a free port of loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from otel_kit import names
from otel_kit.testing import Telemetry
from otel_kit.testing.contract.http_peer import read_head

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(app: web.Application, **options: Any) -> AsyncIterator[int]:
    """Serve the application, as long as the block runs, on the port that it gives."""
    async with served(web.AppRunner(app, access_log=None, **options)) as port:
        yield port


@asynccontextmanager
async def served(runner: web.BaseRunner) -> AsyncIterator[int]:
    """The same for a runner of the test's own."""
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def ok(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


def application(handler: Handler = ok, **options: Any) -> web.Application:
    """An application with that one handler, at `/do/{what}`."""
    app = web.Application(**options)
    app.router.add_route("*", "/do/{what}", handler)
    return app


async def answers(app: web.Application, *paths: str, **options: Any) -> list[Any]:
    """What a client that is not instrumented gets: status and body of each path."""
    found = []
    async with serving(app) as port, aiohttp.ClientSession() as session:
        for path in paths:
            method, _, path = path.rpartition(" ")
            url = f"http://127.0.0.1:{port}{path}"
            async with session.request(method or "GET", url, **options) as answer:
                found.append((answer.status, await answer.text()))
    return found


@asynccontextmanager
async def hung_up(app: web.Application, **options: Any) -> AsyncIterator[None]:
    """The block runs, and ends the server, after a caller has gone away in mid-answer."""
    async with serving(app, **options) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /do/it HTTP/1.1\r\nhost: tested\r\n\r\n")
        await read_head(reader)
        writer.close()
        await writer.wait_closed()
        yield


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, side="server", **labels)
