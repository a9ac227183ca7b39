"""How aiohttp's server answers: raised answers, failures, streams, callers that hang up."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from otel_kit import names
from otel_kit.integrations import aiohttp_server
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import from_kit
from tests.integrations.aiohttp_app import answers, application, hops, hung_up, serving

SERVER = SpanKind.SERVER
LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


def exceptions(telemetry: Telemetry) -> list[str]:
    """Those that are recorded on the one span."""
    events = telemetry.span(kind=SERVER).events
    return [str((event.attributes or {})["exception.type"]) for event in events]


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
    assert not aiohttp_server._UNDER_WAY
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


async def test_a_websocket_is_one_hop_of_its_handshake() -> None:
    """One span, ended before the first message, and no HTTP request of the conventions' metric."""
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
                assert len(telemetry.spans) == 1

    span = telemetry.span(kind=SERVER)
    assert (span.name, {span.context.span_id}) == ("GET /do/{what}", set(spans))
    assert (span.attributes or {})[names.HTTP_RESPONSE_STATUS_CODE] == 101
    assert client._response.headers["Server-Timing"].startswith('otelkit;desc="tested"')
    assert hops(telemetry, client="web") == hops(telemetry) == 1
    assert telemetry.points(names.HTTP_SERVER_DURATION) == []
