"""What is peculiar to aiohttp's server: routes, middlewares, what it is made of."""

import asyncio
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
from opentelemetry.trace import SpanKind, get_current_span

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import from_kit
from otel_kit.testing.contract.http_peer import http_get, read_head
from tests.integrations.aiohttp_app import Handler, answers, application, ok, served, serving

SERVER = SpanKind.SERVER


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/do/7", "GET /do/{what}"),
        ("POST /do/7", "POST /do/{what}"),
        ("/item/7", "GET /item/{number}"),
        ("/v1/7", "GET /v1/{x}"),
        ("/v1/inner/deep/7", "GET /v1/inner/deep/{y}"),
        ("/view", "GET /view"),
        ("/static/a.txt", "GET /static/{filename}"),
        ("/static/none.txt", "GET /static/{filename}"),
        ("/nowhere/7", "GET"),
        ("/v1/inner/nowhere/7", "GET"),
        ("PUT /item/7", "PUT"),
        ("PROPFIND /do/7", "HTTP /do/{what}"),
    ],
)
async def test_the_operation_is_the_whole_route_template(
    path: str, operation: str, tmp_path: Path
) -> None:
    """Sub-applications and static files are part of the template; what was asked for never is."""
    (tmp_path / "a.txt").write_text("a")

    class View(web.View):
        async def get(self) -> web.StreamResponse:
            return web.Response()

    inner, outer, app = web.Application(), web.Application(), application()
    inner.router.add_get("/deep/{y}", ok)
    outer.router.add_get("/{x}", ok)
    outer.add_subapp("/inner", inner)
    app.add_subapp("/v1", outer)
    app.router.add_get(r"/item/{number:\d+}", ok)
    app.router.add_view("/view", View)
    app.router.add_static("/static", tmp_path)
    with capture(integrations=["aiohttp-server"]) as telemetry:
        await answers(app, path)

    span = telemetry.span(kind=SERVER)
    assert operation == span.name
    assert (span.attributes or {}).get(names.HTTP_ROUTE) == (operation.partition(" ")[2] or None)
    assert telemetry.count(names.HOP_DURATION, operation=operation) == 1


async def test_middlewares_run_within_the_hop() -> None:
    """The span is current in them, and a request they clone is the same one."""
    spans: list[int] = []

    @web.middleware
    async def outer(request: web.Request, handler: Handler) -> web.StreamResponse:
        spans.append(get_current_span().get_span_context().span_id)
        return await handler(request.clone(scheme="https"))

    async def inner(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"ok")
        return response

    app = application(inner, middlewares=[outer])
    with capture("tested", integrations=["aiohttp-server"]) as telemetry:
        async with serving(app) as port:
            reply = await http_get(port, "/do/it", from_kit("web"))

    span = telemetry.span(kind=SERVER)
    assert (span.name, [span.context.span_id]) == ("GET /do/{what}", spans)
    assert reply.headers["server-timing"].startswith('otelkit;desc="tested"')


async def test_an_answers_own_server_timing_stays() -> None:
    """Ours is added to it."""

    async def timed(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Server-Timing": "db;dur=5"})

    with capture("tested", integrations=["aiohttp-server"]):
        async with serving(application(timed)) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/do/it"
            answer = await session.get(url, headers=from_kit("web"))
            found = answer.headers.getall("Server-Timing")

    assert found[0] == "db;dur=5"
    assert found[1].startswith('otelkit;desc="tested"')


async def test_nothing_but_our_headers_is_different() -> None:
    """What the application sees of a request, and what its caller gets, is as without the kit."""
    seen: list[Any] = []

    async def look(request: web.Request) -> web.StreamResponse:
        seen.append((dict(request.headers), await request.text(), request.match_info["what"]))
        return web.json_response({"keys": len(request)}, headers={"x-own": "1"})

    app = application(look)
    async with serving(app) as port, aiohttp.ClientSession() as session:
        for kit in (nullcontext(), capture(integrations=["aiohttp-server"])):
            with kit:
                url = f"http://127.0.0.1:{port}/do/it"
                async with session.post(url, data="body", headers=from_kit("web")) as answer:
                    found = CIMultiDict(answer.headers)
                    del found["Date"]
                    seen.append((found, await answer.json()))

    assert seen[0] == seen[2]
    assert seen[3][0].pop("Server-Timing").startswith("otelkit;")
    assert seen[1] == seen[3]


async def test_an_application_made_and_connected_before_is_seen() -> None:
    """The order of `instrument()` and of making, starting and reaching the server is free."""
    async with serving(application()) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/do/it"
        (await session.get(url)).release()
        with capture(integrations=["aiohttp-server"]) as telemetry:
            (await session.get(url)).release()
        (await session.get(url)).release()

    assert telemetry.span(kind=SERVER).name == "GET /do/{what}"


async def test_a_server_without_an_application_has_hops() -> None:
    """`web.Server` calls a handler for whatever comes: it has no routes."""

    async def low(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="low")

    with capture(integrations=["aiohttp-server"]) as telemetry:
        async with served(web.ServerRunner(web.Server(low))) as port:
            reply = await http_get(port, "/any/7?token=secret", from_kit("web"))

    span = telemetry.span(kind=SERVER)
    assert (reply.status, span.name) == (200, "GET")
    assert (span.attributes or {})[names.URL_PATH] == "/any/7"
    assert "secret" not in str(dict(span.attributes or {}))
    assert "server-timing" in reply.headers


async def test_what_cannot_be_parsed_is_no_hop() -> None:
    """aiohttp refuses it itself: no code of the application's is reached."""
    with capture(integrations=["aiohttp-server"]) as telemetry:
        async with serving(application()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /\x01 nonsense\r\n\r\n")
            first, _ = await read_head(reader)
            writer.close()
            await writer.wait_closed()

    assert first.split()[1] == "400"
    assert telemetry.spans == []


async def test_a_middleware_of_opentelemetrys_makes_the_span() -> None:
    """An application that has theirs, however it got it, has no second span of ours."""
    theirs, instrumentor = Telemetry("tested"), AioHttpServerInstrumentor()
    instrumentor.instrument(tracer_provider=theirs.tracer_provider)
    try:
        app = application()
    finally:
        instrumentor.uninstrument()
    with capture(integrations=["aiohttp-server"]) as telemetry:
        await answers(app, "/do/it")

    assert telemetry.spans == []


async def test_a_request_within_a_handler_is_a_child_of_its_hop() -> None:
    """Both sides at once: the client's span stands between the two servers'."""
    port = 0

    async def ask(request: web.Request) -> web.StreamResponse:
        if request.match_info["what"] == "inner":
            return web.Response(text="ok")
        async with aiohttp.request("GET", f"http://127.0.0.1:{port}/do/inner") as answer:
            return web.Response(text=await answer.text())

    both = ["aiohttp-client", "aiohttp-server"]
    with capture("tested", integrations=both) as telemetry:
        async with serving(application(ask)) as port:
            await http_get(port, "/do/outer", {})

    inner, client, outer = telemetry.spans
    assert inner.parent is not None
    assert client.parent is not None
    assert inner.parent.span_id == client.context.span_id
    assert client.parent.span_id == outer.context.span_id
    assert telemetry.count(names.HOP_DURATION, server="tested", side="client") == 1


def test_a_client_does_not_load_the_server() -> None:
    """Each side wakes by the import of its own part, whenever that comes."""
    program = (
        "import sys\n"
        "from otel_kit.testing import capture\n"
        "with capture('x'):\n"
        "    import aiohttp\n"
        "    print(type(aiohttp.ClientSession._request).__name__, 'aiohttp.web' in sys.modules)\n"
        "    from aiohttp import web\n"
        "    print(type(web.RequestHandler._handle_request).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.split() == ["BoundFunctionWrapper", "False", "BoundFunctionWrapper"]
