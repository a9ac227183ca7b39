"""What is peculiar to aiohttp's server: routes, answers, WebSockets, callers that hang up."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.contexts import from_kit
from tests.contract.harness.peer import http_get, read_head
from tests.contract.patched import patched
from tests.integrations.aiohttp_app import served, serving

SERVER = SpanKind.SERVER
LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
PATCHED = (
    "aiohttp.web_protocol:RequestHandler._handle_request",
    "aiohttp.web_request:BaseRequest._prepare_hook",
    "aiohttp.web_request:Request._prepare_hook",
    "aiohttp.web_response:StreamResponse.write_eof",
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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


def exceptions(telemetry: Telemetry) -> list[str]:
    """Those that are recorded on the one span."""
    events = telemetry.span(kind=SERVER).events
    return [str((event.attributes or {})["exception.type"]) for event in events]


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


@pytest.mark.parametrize(
    ("raised", "status", "error_class", "span_status"),
    [
        (web.HTTPFound("/do/other"), 302, None, StatusCode.UNSET),
        (web.HTTPNotFound(), 404, "client_error", StatusCode.UNSET),
        (web.HTTPServiceUnavailable(), 503, "unavailable", StatusCode.ERROR),
        (web.HTTPNoContent(), 204, None, StatusCode.UNSET),
    ],
    ids=lambda given: type(given).__name__,
)
async def test_an_answer_that_is_raised_is_an_answer(
    raised: web.HTTPException, status: int, error_class: str | None, span_status: StatusCode
) -> None:
    """An `HTTPException` has its status' class, and is no exception of the application's."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        raise raised

    with capture(integrations=["aiohttp-server"]) as telemetry:
        found = await answers(application(refuse), "/do/it", allow_redirects=False)

    assert [answer[0] for answer in found] == [status]
    assert exceptions(telemetry) == []
    span = telemetry.span(kind=SERVER)
    assert span.status.status_code is span_status
    assert (span.attributes or {}).get(names.SPAN_ERROR_CLASS) == error_class
    assert hops(telemetry) == 1


async def test_a_handler_that_times_out_is_answered_and_classed_so() -> None:
    """aiohttp answers 504 for a `TimeoutError`; nothing of that is different."""

    async def late(request: web.Request) -> web.StreamResponse:
        raise TimeoutError

    without = await answers(application(late), "/do/it")
    with capture(integrations=["aiohttp-server"]) as telemetry:
        assert await answers(application(late), "/do/it") == without

    assert without[0][0] == 504
    assert exceptions(telemetry) == ["TimeoutError"]
    assert hops(telemetry, error_class="timeout") == 1


async def test_an_exception_after_part_of_the_answer_is_the_applications() -> None:
    """The caller has a status already, and sees the connection end; the hop is an error."""

    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"part")
        raise ValueError("on purpose")

    app = application(broken)
    with capture(integrations=["aiohttp-server"]) as telemetry, pytest.raises(LOST):
        await answers(app, "/do/it")

    assert exceptions(telemetry) == ["ValueError"]
    found = telemetry.span(kind=SERVER).attributes or {}
    assert found[names.HTTP_RESPONSE_STATUS_CODE] == 200
    assert hops(telemetry, error_class="server_error") == hops(telemetry) == 1


async def test_a_handler_that_returns_nothing_is_the_servers_error() -> None:
    """aiohttp answers 500, or its older versions close the connection: an error in any case."""

    async def nothing(request: web.Request) -> Any:
        return None

    lost = suppress(aiohttp.ServerDisconnectedError)
    with capture(integrations=["aiohttp-server"]) as telemetry, lost:
        ((status, _),) = await answers(application(nothing), "POST /do/it")
        assert status == 500

    assert hops(telemetry, error_class="server_error") == 1


async def test_a_failing_signal_ends_the_hop_as_an_error() -> None:
    """An `on_response_prepare` that raises ends the connection, as without the kit."""

    async def broken(request: web.Request, response: web.StreamResponse) -> None:
        raise ValueError("on purpose")

    app = application()
    app.on_response_prepare.append(broken)
    with capture(integrations=["aiohttp-server"]) as telemetry, pytest.raises(LOST):
        await answers(app, "POST /do/it")

    assert exceptions(telemetry) == ["ValueError"]
    assert hops(telemetry, error_class="server_error") == 1


async def test_a_handlers_own_refused_connection_is_the_servers_error() -> None:
    """Only where the caller has gone is a `ConnectionError` about the caller."""

    async def unconnected(request: web.Request) -> web.StreamResponse:
        raise ConnectionRefusedError("the database")

    with capture(integrations=["aiohttp-server"]) as telemetry:
        ((status, _),) = await answers(application(unconnected), "/do/it")

    assert status == 500
    assert hops(telemetry, error_class="server_error") == 1


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_caller_that_hangs_up_in_mid_answer_is_no_error(cancels: bool) -> None:
    """Whether aiohttp cancels the handler or a write fails: the hop is cancelled."""
    ended: list[type[BaseException]] = []

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"part" * 20_000)
                await asyncio.sleep(0)
        except BaseException as error:
            ended.append(type(error))
            raise

    with capture(integrations=["aiohttp-server"]) as telemetry:
        async with hung_up(application(endless), handler_cancellation=cancels):
            while not ended:
                await asyncio.sleep(0)

    assert issubclass(ended[0], asyncio.CancelledError if cancels else ConnectionError)
    assert hops(telemetry, error_class="cancelled") == hops(telemetry) == 1
    assert telemetry.span(kind=SERVER).status.status_code is StatusCode.UNSET
    assert exceptions(telemetry) == []


async def test_an_answer_that_nobody_waits_for_is_cancelled() -> None:
    """A handler that returns when its caller has gone has nobody to answer."""

    async def late(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport is not None:
            await asyncio.sleep(0)
        return response

    with capture(integrations=["aiohttp-server"]) as telemetry:
        async with hung_up(application(late)):
            while not telemetry.spans:
                await asyncio.sleep(0)

    assert hops(telemetry, error_class="cancelled") == hops(telemetry) == 1


async def test_a_caller_waits_no_longer_than_its_answer() -> None:
    """What a handler does after `write_eof` is in the span, and not in what is measured."""
    answered, began = asyncio.Event(), list[int]()

    async def thorough(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write_eof(b"done")
        await answered.wait()
        began.append(time.time_ns())
        return response

    with capture(integrations=["aiohttp-server"]) as telemetry:
        async with serving(application(thorough)) as port, aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/do/it") as answer:
                assert await answer.text() == "done"
            answered.set()

    span = telemetry.span(kind=SERVER)
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time >= began[0]
    for metric in (names.HOP_DURATION, names.HTTP_SERVER_DURATION):
        (point,) = telemetry.points(metric)
        assert point.sum <= (began[0] - span.start_time) / 1e9


async def test_a_file_is_one_hop_and_goes_out_as_it_is(tmp_path: Path) -> None:
    """A `FileResponse` is sent by aiohttp's own means, and its size is known."""
    file = tmp_path / "large"
    file.write_bytes(b"x" * 300_000)

    async def send(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(file)

    with capture(integrations=["aiohttp-server"]) as telemetry:
        found = await answers(application(send), "/do/it", headers=from_kit("web"))

    assert found == [(200, "x" * 300_000)]
    attributes = telemetry.span(kind=SERVER).attributes or {}
    assert attributes[names.HTTP_RESPONSE_BODY_SIZE] == 300_000
    assert hops(telemetry, client="web") == 1


async def test_a_websocket_is_one_hop_to_its_end() -> None:
    """One span whatever number of messages, and no HTTP request of the conventions' metric."""
    spans: list[int] = []

    async def talk(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            spans.append(get_current_span().get_span_context().span_id)
            await socket.send_str(message.data)
        return socket

    with capture("tested", integrations=["aiohttp-server"]) as telemetry:
        async with serving(application(talk)) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/do/talk"
            async with session.ws_connect(url, headers=from_kit("web")) as client:
                for _ in range(3):
                    await client.send_str("hello")
                    assert await client.receive_str() == "hello"
                assert telemetry.spans == []

    span = telemetry.span(kind=SERVER)
    assert (span.name, {span.context.span_id}) == ("GET /do/{what}", set(spans))
    assert (span.attributes or {})[names.HTTP_RESPONSE_STATUS_CODE] == 101
    assert client._response.headers["Server-Timing"].startswith('otelkit;desc="tested"')
    assert hops(telemetry, client="web") == hops(telemetry) == 1
    assert telemetry.points(names.HTTP_SERVER_DURATION) == []


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


def test_uninstall_restores_the_very_same_functions() -> None:
    """After the kit is off, the classes hold the objects they held before."""
    before = [patched(target) for target in PATCHED]
    with capture(integrations=["aiohttp-server"]):
        assert all(patched(t) is not b for t, b in zip(PATCHED, before, strict=True))

    assert all(patched(t) is b for t, b in zip(PATCHED, before, strict=True))


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
