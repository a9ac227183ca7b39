"""aiohttp, client and server."""

import asyncio
from typing import Any, Self

import aiohttp
from aiohttp import web

from otel_kit.testing.contract.base import EVENTS, Behaviour, HandlerError, Reply, Seen
from otel_kit.testing.contract.http_client import HttpClient
from otel_kit.testing.contract.http_peer import STATUS
from otel_kit.testing.contract.http_server import HttpServer


class AiohttpClient(HttpClient):
    library = "aiohttp-client"
    timeout_error = asyncio.TimeoutError
    connection_error = aiohttp.ClientConnectorError
    broken_error = aiohttp.ClientPayloadError

    async def _get(self, url: str, headers: Any, timeout: float) -> Reply:
        limit = aiohttp.ClientTimeout(total=timeout)
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers=headers, timeout=limit) as answer,
        ):
            await answer.read()
        return Reply({k.lower(): v for k, v in answer.headers.items()}, answer.status)

    async def _read_events(self, url: str, stop: bytes) -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            async for part in answer.content.iter_any():
                if self.arrived(part, stop):
                    break


class AiohttpServer(HttpServer):
    """With `handler_cancellation`, so that a handler learns that its caller has hung up."""

    library = "aiohttp-server"
    operation = "GET /do/{behaviour}"

    async def __aenter__(self) -> Self:
        self._hung_up = asyncio.Event()
        app = web.Application()
        app.router.add_get("/do/{behaviour}", self.handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    async def settled(self) -> None:
        await self._hung_up.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        behaviour = Behaviour(request.match_info["behaviour"])
        self.seen.append(Seen({name.lower(): value for name, value in request.headers.items()}))
        self.on_request()
        if behaviour is Behaviour.RAISES:
            raise HandlerError("on purpose")
        if behaviour is Behaviour.SILENT:
            await self._until_cancelled()
        if behaviour is Behaviour.STREAMS:
            return await self._streamed(request)
        if behaviour in (Behaviour.EVENTS, Behaviour.ENDLESS):
            return await self._events(request, behaviour)
        return web.Response(text="ok", status=STATUS[behaviour])

    async def _until_cancelled(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self._hung_up.set()

    async def _events(self, request: web.Request, behaviour: Behaviour) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in EVENTS:
            await response.write(part)
        if behaviour is Behaviour.ENDLESS:
            await self._until_cancelled()
        return response

    async def _streamed(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b"one", b"two", b"three"):
            self.seen.append(Seen())
            await response.write(part)
        return response
