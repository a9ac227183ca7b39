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
from tests.contract.harness.peer import STATUS, http_get


class _Uvicorn(ServerHarness):
    transport = "http"
    unknown = "GET"
    unknown_class = "client_error"
    ok_status = 200

    def __init__(self) -> None:
        super().__init__()
        self._hung_up = asyncio.Event()

    async def __aenter__(self) -> Self:
        config = uvicorn.Config(self._app(), port=0, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.wait([self._serving], timeout=0.01)
            if self._serving.done():
                await self._serving
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

    async def handle(self, behaviour: str, request: Request) -> Response:
        self.seen.append(Seen(dict(request.headers)))
        self.on_request()
        if behaviour == Behaviour.RAISES:
            raise HandlerError("on purpose")
        if behaviour == Behaviour.SILENT:
            await self._until_hung_up(request)
        if behaviour == Behaviour.STREAMS:
            return StreamingResponse(self._parts())
        return PlainTextResponse("ok", STATUS[Behaviour(behaviour)])

    async def _until_hung_up(self, request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self._hung_up.set()

    async def settled(self) -> None:
        await self._hung_up.wait()
        await asyncio.sleep(0)

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
            return await self.handle(behaviour, request)

        return app


class Starlette(_Uvicorn):
    library = "starlette"
    operation = "GET /do/{behaviour}"

    def _app(self) -> Any:
        async def do(request: Request) -> Response:
            return await self.handle(request.path_params["behaviour"], request)

        return starlette.applications.Starlette(routes=[Route("/do/{behaviour}", do)])
