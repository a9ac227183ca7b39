"""Starlette and FastAPI, served by uvicorn."""

from typing import Any

import fastapi
import starlette.applications
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from otel_kit.hops.event_stream import TYPE
from otel_kit.testing.contract.base import Behaviour
from otel_kit.testing.contract.http_peer import STATUS
from tests.contract.harness.asgi import AsgiHarness


class _Starlette(AsgiHarness):
    operation = "GET /do/{behaviour}"

    async def handle(self, behaviour: str, request: Request) -> Response:
        await self.asked(behaviour, request.headers, request.scope)
        if behaviour == Behaviour.STREAMS:
            return StreamingResponse(self.parts())
        if behaviour in (Behaviour.EVENTS, Behaviour.ENDLESS):
            return StreamingResponse(self.events(behaviour), media_type=TYPE)
        return PlainTextResponse("ok", STATUS[Behaviour(behaviour)])


class FastApi(_Starlette):
    library = "fastapi"

    def application(self) -> Any:
        app = fastapi.FastAPI()

        @app.get("/do/{behaviour}")
        async def do(behaviour: str, request: Request) -> Response:
            return await self.handle(behaviour, request)

        return app


class Starlette(_Starlette):
    library = "starlette"

    def application(self) -> Any:
        async def do(request: Request) -> Response:
            return await self.handle(request.path_params["behaviour"], request)

        return starlette.applications.Starlette(routes=[Route("/do/{behaviour}", do)])
