"""What is peculiar to FastAPI and Starlette."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import starlette.applications
from fastapi import APIRouter, FastAPI, WebSocket
from opentelemetry.trace import SpanKind
from starlette.middleware import Middleware
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from otel_kit import names
from otel_kit.testing import Telemetry, capture

SERVER = SpanKind.SERVER
ASGI = ("fastapi", "starlette")


async def get(app: Any, *paths: str) -> None:
    """Ask an application in this process, by an httpx that is not instrumented."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        for path in paths:
            await client.get(path)


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def test_native_telemetry_of_fastapi_makes_no_second_span() -> None:
    """With FastAPI's native telemetry switched on there is one span a request, ours."""
    with capture(integrations=ASGI) as telemetry:
        app = FastAPI(telemetry={"tracer_provider": telemetry.tracer_provider})

        @app.get("/items/{item}")
        async def read(item: str) -> str:
            return item

        await get(app, "/items/1")

    (span,) = telemetry.spans
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.name) == (names.SCOPE, "GET /items/{item}")


async def test_starlettes_own_middleware_keeps_its_span() -> None:
    """Where the application has added Starlette's middleware, that one makes the span."""
    with capture(integrations=ASGI) as telemetry:
        tracing = Middleware(OpenTelemetryMiddleware, tracer_provider=telemetry.tracer_provider)
        app = starlette.applications.Starlette(routes=[Route("/", ok)], middleware=[tracing])
        await get(app, "/", "/")

    scopes = [
        s.instrumentation_scope.name
        for s in telemetry.matching(kind=SERVER)
        if s.instrumentation_scope
    ]
    assert scopes == ["starlette", "starlette"]


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/plain/7", "GET /plain/{item}"),
        ("/v1/inner/items/7", "GET /v1/inner/items/{item}"),
        ("/tenants/acme/deep/7", "GET /tenants/{tenant}/deep/{x}"),
        ("/files/a/b/c.txt", "GET /files/{path}"),
        ("/nowhere/7", "GET"),
    ],
)
async def test_the_operation_is_the_whole_route_template(path: str, operation: str) -> None:
    """Included routers and mounts are part of the template; ids never are."""
    with capture(integrations=ASGI) as telemetry:
        await get(application(), path)

    assert operation == telemetry.span(kind=SERVER).name


def application() -> FastAPI:
    """A FastAPI application with routers in routers, mounts and a foreign application."""
    app, tenant = FastAPI(), FastAPI()
    inner, outer = APIRouter(), APIRouter()

    @app.get("/plain/{item}")
    async def plain(item: str) -> None: ...

    @inner.get("/items/{item}")
    async def read(item: str) -> None: ...

    @tenant.get("/deep/{x}")
    async def deep(x: str) -> None: ...

    async def foreign(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("file")(scope, receive, send)

    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/v1")
    app.mount("/tenants/{tenant}", tenant)
    app.mount("/files", foreign)
    return app


async def test_mounts_of_starlette_are_one_hop() -> None:
    """A Starlette application within another is no second hop."""
    inner = starlette.applications.Starlette(routes=[Route("/c/{d}", ok)])
    with capture(integrations=ASGI) as telemetry:
        await get(starlette.applications.Starlette(routes=[Mount("/m/{n}", inner)]), "/m/1/c/2")

    assert telemetry.span(kind=SERVER).name == "GET /m/{n}/c/{d}"


async def test_one_requests_response_size_never_shows_up_on_another() -> None:
    """A streamed answer after one of known size has no size of its own."""

    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"x" * 99

        return StreamingResponse(parts())

    app = starlette.applications.Starlette(routes=[Route("/ok", ok), Route("/stream", stream)])
    with capture(integrations=ASGI) as telemetry:
        await get(app, "/ok", "/stream")

    sizes = [(s.attributes or {}).get(names.HTTP_RESPONSE_BODY_SIZE) for s in telemetry.spans]
    assert sizes == [2, None]


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_a_websocket_is_one_hop_of_its_handshake(prefix: str) -> None:
    """A connection makes one SERVER span, which is there before it carries its first message."""
    app, router = FastAPI(), APIRouter()

    @router.websocket("/ws/{room}")
    async def talk(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        seen.append([span.name for span in telemetry.spans])
        for _ in range(3):
            await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app.include_router(router, prefix=prefix)
    hello = {"type": "websocket.receive", "text": "hello"}
    arriving = iter([{"type": "websocket.connect"}, hello, hello, hello])
    sent: list[str] = []
    seen: list[list[str]] = []

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    path = f"{prefix}/ws/1"
    scope = {"type": "websocket", "path": path, "headers": [], "query_string": b""}
    with capture(integrations=ASGI) as telemetry:
        await app(scope, receive, send)

    assert ["websocket.accept", *["websocket.send"] * 3, "websocket.close"] == sent
    assert seen == [[f"GET {prefix}/ws/{{room}}"]]
    assert len(telemetry.spans) == 1
    assert (telemetry.spans[0].attributes or {})[names.HTTP_RESPONSE_STATUS_CODE] == 101


async def test_a_call_that_is_no_request_is_the_applications_to_refuse() -> None:
    """Servers call without arguments to find factories: the TypeError is the application's own."""
    app = FastAPI()
    with pytest.raises(TypeError) as without:
        app()
    with capture(integrations=ASGI), pytest.raises(TypeError) as within:
        app()

    assert str(without.value) == str(within.value)


async def test_secrets_in_the_query_are_not_recorded() -> None:
    """The query string is in no attribute."""
    with capture(integrations=ASGI) as telemetry:
        await get(application(), "/plain/7?token=secret")

    assert "secret" not in str(dict(telemetry.span().attributes or {}))


async def test_an_application_made_before_is_seen() -> None:
    """The order of instrument() and of making the application does not matter."""
    app = application()
    with capture(integrations=ASGI) as telemetry:
        await get(app, "/plain/1")

    assert isinstance(telemetry, Telemetry)
    assert len(telemetry.spans) == 1
