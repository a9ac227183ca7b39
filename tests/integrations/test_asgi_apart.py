"""ASGI applications that are put together in unusual ways: theirs is the last word."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.routing import APIRoute
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router

from otel_kit import names
from otel_kit.testing import capture

ASGI = ("fastapi", "starlette")
SERVER = SpanKind.SERVER
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Passing:
    """A middleware that hands on a copy of the scope."""

    def __init__(self, app: Any, added: str = "") -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def get(app: Any, path: str) -> httpx.Response:
    """Ask an application in this process, by an httpx that is not instrumented."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        return await client.get(path)


async def answered(app: Any, scope: dict[str, Any]) -> list[Any]:
    """The messages by which the application answers a request of this very scope."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_a_middleware_may_be_any_callable() -> None:
    """A middleware that is a `functools.partial` has no name, and the request is a hop."""
    middleware = [Middleware(functools.partial(Passing, added="x"))]
    with capture(integrations=ASGI) as telemetry:
        answer = await get(Starlette(routes=[Route("/", ok)], middleware=middleware), "/")

    assert answer.status_code == 200
    assert telemetry.span(kind=SERVER).name == "GET /"


async def test_a_middleware_that_cannot_be_read_is_none_of_ours() -> None:
    """What the kit stumbles over costs the span, never the request."""
    app = Starlette(routes=[Route("/", ok)])
    app.user_middleware = 7  # type: ignore[assignment]
    app.middleware_stack = app.router
    with capture(integrations=ASGI, strict=False):
        assert (await get(app, "/")).status_code == 200


async def test_a_scope_of_the_least_is_served() -> None:
    """What a scope may lack the kit does not ask for, and does not add."""
    scope = {"type": "http", "method": "GET", "path": "/x"}

    async def bare(scope: Any, receive: Receive, send: Send) -> None:
        assert "headers" not in scope
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    with capture(integrations=ASGI) as telemetry:
        sent = await answered(Starlette(routes=[Mount("/", bare)]), scope)

    assert len(sent) == 2
    assert telemetry.span(kind=SERVER).name == "GET"


async def test_headers_may_be_given_as_iterators() -> None:
    """Request and response headers that can be read only once are read by all, and the same."""
    seen: list[Any] = []

    async def raw(scope: Any, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": iter([(b"x-a", b"1"), (b"content-length", b"2")])})
        await send({"type": "http.response.body", "body": b"hi"})

    def scope_headers() -> Iterator[tuple[bytes, bytes]]:
        yield b"x-b", b"2"

    scope = {"type": "http", "method": "GET", "path": "/raw/", "headers": scope_headers()}
    with capture(integrations=ASGI):
        sent = await answered(Starlette(routes=[Mount("/raw", raw)]), scope)

    assert seen == [(b"x-b", b"2")]
    assert list(sent[0]["headers"]) == [(b"x-a", b"1"), (b"content-length", b"2")]


@pytest.mark.parametrize(("framework", "route"), [(Starlette, Route), (FastAPI, APIRoute)])
async def test_a_copied_scope_keeps_its_route(framework: Any, route: Any) -> None:
    """Middlewares that hand on a copy of the scope do not hide the route."""
    app = framework(routes=[route("/items/{item}", ok)], middleware=[Middleware(Passing)] * 2)
    with capture(integrations=ASGI) as telemetry:
        await get(app, "/items/7")

    assert telemetry.span(kind=SERVER).name == "GET /items/{item}"


@pytest.mark.parametrize(
    ("path", "operation"),
    [("/items/7", "GET /items/{item}"), ("/deep/x/7", "GET /deep/{a}/{b}"), ("/foreign", "GET")],
)
async def test_hosts_are_no_part_of_the_route(path: str, operation: str) -> None:
    """Routes, and mounts, below a `Host` are found; other hosts' and foreign applications not."""
    mine = Router([Route("/items/{item}", ok), Mount("/deep/{a}", routes=[Route("/{b}", ok)])])
    other = Router([Mount("/deep/{wrong}", routes=[Route("/{b}", ok)])])
    foreign = PlainTextResponse("foreign")
    hosts = [Host("other", other), Host("app", foreign if path == "/foreign" else mine)]
    with capture(integrations=ASGI) as telemetry:
        await get(Starlette(routes=hosts), path)

    assert telemetry.span(kind=SERVER).name == operation


async def test_background_tasks_are_no_latency() -> None:
    """What is measured ends with the response, the span with the handler."""
    began: list[int] = []

    async def later() -> None:
        began.append(time.time_ns())
        await asyncio.sleep(0.05)

    async def order(request: Request) -> Response:
        return PlainTextResponse("ok", background=BackgroundTask(later))

    with capture(integrations=ASGI) as telemetry:
        await get(Starlette(routes=[Route("/", order)]), "/")

    span = telemetry.span(kind=SERVER)
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - began[0] >= 50_000_000
    for metric in (names.HOP_DURATION, names.HTTP_SERVER_DURATION):
        (point,) = telemetry.points(metric)
        assert point.sum <= (began[0] - span.start_time) / 1e9


async def test_a_websocket_is_no_http_request_of_the_conventions() -> None:
    """Its handshake is measured as a hop, not among the requests' durations."""
    app = FastAPI()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b""}

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None: ...

    with capture(integrations=ASGI) as telemetry:
        await app(scope, receive, send)

    assert telemetry.count(names.HOP_DURATION, side="server") == 1
    assert telemetry.points(names.HTTP_SERVER_DURATION) == []
