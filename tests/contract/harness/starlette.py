"""Starlette and FastAPI, served by uvicorn."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import fastapi
import starlette.applications
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.contract.harness.base import Behaviour, HandlerError, Reply, Seen, ServerHarness
from tests.contract.harness.peer import http_get

_STATUS = {
    Behaviour.OK: 200,
    Behaviour.CLIENT_ERROR: 404,
    Behaviour.SERVER_ERROR: 500,
    Behaviour.THROTTLED: 429,
}


class _Uvicorn(ServerHarness):
    transport = "http"
    unknown = "GET"

    async def __aenter__(self) -> Self:
        config = uvicorn.Config(self._app(), port=0, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._serving

    async def request(
        self, behaviour: Behaviour, *, headers: dict[str, str] | None = None, path: str = ""
    ) -> Reply:
        return await http_get(self._port, f"/do/{behaviour}{path}", headers or {})

    def _app(self) -> Any:
        raise NotImplementedError

    async def handle(self, behaviour: str, headers: dict[str, str]) -> Response:
        self.seen.append(Seen(headers))
        self.on_request()
        if behaviour == Behaviour.RAISES:
            raise HandlerError("on purpose")
        if behaviour == Behaviour.SILENT:
            await asyncio.Event().wait()
        if behaviour == Behaviour.STREAMS:
            return StreamingResponse(self._parts())
        return PlainTextResponse("ok", _STATUS[Behaviour(behaviour)])

    async def _parts(self) -> AsyncIterator[bytes]:
        for part in (b"one", b"two", b"three"):
            self.seen.append(Seen())
            yield part


class FastApi(_Uvicorn):
    library = "fastapi"
    operation = "GET /do/{behaviour}"

    def _app(self) -> Any:
        app = fastapi.FastAPI()

        @app.get("/do/{behaviour}")
        async def do(behaviour: str, request: Request) -> Response:
            return await self.handle(behaviour, dict(request.headers))

        return app


class Starlette(_Uvicorn):
    library = "starlette"
    operation = "GET /do/{behaviour}"

    def _app(self) -> Any:
        async def do(request: Request) -> Response:
            return await self.handle(request.path_params["behaviour"], dict(request.headers))

        return starlette.applications.Starlette(routes=[Route("/do/{behaviour}", do)])
