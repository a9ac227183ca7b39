"""Server-sent events by the libraries that people use for them, and what becomes of odd readers."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import pytest
from httpx_sse import aconnect_sse
from opentelemetry.trace import SpanKind
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.harness.asgi import AsgiHarness


class Events(AsgiHarness):
    """`/events` has two and ends, `/endless` never does, `/at-once` is no stream."""

    def application(self) -> Any:
        async def events() -> AsyncIterator[dict[str, str]]:
            yield {"comment": "still here"}
            yield {"event": "order", "data": "1\n2", "id": "7"}
            yield {"data": "3"}

        async def endless() -> AsyncIterator[dict[str, str]]:
            yield {"data": "1"}
            await asyncio.Event().wait()

        async def two(_: Any) -> Response:
            return EventSourceResponse(events())

        async def ever(_: Any) -> Response:
            return EventSourceResponse(endless())

        async def at_once(_: Any) -> Response:
            return Response("data: 1\n\ndata: 2\n\n", media_type="text/event-stream")

        routes = [Route("/events", two), Route("/endless", ever), Route("/at-once", at_once)]
        return Starlette(routes=routes)


def attributes(telemetry: Telemetry, kind: SpanKind) -> dict[str, Any]:
    return dict(telemetry.span(kind=kind).attributes or {})


async def test_both_sides_count_the_same() -> None:
    """An event stream of sse-starlette's that httpx-sse reads is one trace of two spans."""
    with capture(integrations=["httpx", "starlette"]) as telemetry:
        async with Events() as server, httpx.AsyncClient(trust_env=False) as client:
            url = f"http://127.0.0.1:{server.port}/events"
            async with aconnect_sse(client, "GET", url) as source:
                read = [event.data async for event in source.aiter_sse()]
            await server.settled()

    client_span, server_span = (telemetry.span(kind=k) for k in (SpanKind.CLIENT, SpanKind.SERVER))
    assert read == ["1\n2", "3"]
    assert attributes(telemetry, SpanKind.CLIENT)[names.SPAN_EVENTS] == 2
    assert attributes(telemetry, SpanKind.SERVER)[names.SPAN_EVENTS] == 2
    assert client_span.context.trace_id == server_span.context.trace_id
    assert len(telemetry.spans) == 2


async def test_a_reader_of_sse_starlette_that_hung_up_has_cancelled_it() -> None:
    """The library notices that nobody reads, ends in silence, and its hop is `cancelled`."""
    with capture(integrations=["starlette"]) as telemetry:
        async with Events() as server, httpx.AsyncClient(trust_env=False) as client:
            url = f"http://127.0.0.1:{server.port}/endless"
            async with aconnect_sse(client, "GET", url) as source:
                await anext(source.aiter_sse())
            await server.settled()

    assert attributes(telemetry, SpanKind.SERVER)[names.SPAN_ERROR_CLASS] == "cancelled"
    assert attributes(telemetry, SpanKind.SERVER)[names.SPAN_EVENTS] == 1


async def test_events_that_are_there_at_once_are_counted_too() -> None:
    """A client that has read the whole answer knows its events, and no first byte."""
    with capture(integrations=["httpx"]) as telemetry:
        async with Events() as server, httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{server.port}/at-once")

    assert answer.text == "data: 1\n\ndata: 2\n\n"
    assert attributes(telemetry, SpanKind.CLIENT)[names.SPAN_EVENTS] == 2
    assert names.SPAN_FIRST_BYTE not in attributes(telemetry, SpanKind.CLIENT)


async def test_a_reader_that_is_cancelled_says_so() -> None:
    """A task that is cancelled while it waits for the next event ends the hop as `cancelled`."""
    with capture(integrations=["httpx"]) as telemetry:
        async with Events() as server, httpx.AsyncClient(trust_env=False) as client:
            first = asyncio.Event()

            async def read() -> None:
                url = f"http://127.0.0.1:{server.port}/endless"
                async with aconnect_sse(client, "GET", url) as source:
                    async for _ in source.aiter_sse():
                        first.set()

            reading = asyncio.create_task(read())
            await first.wait()
            reading.cancel()
            await asyncio.wait([reading])

    assert attributes(telemetry, SpanKind.CLIENT)[names.SPAN_ERROR_CLASS] == "cancelled"


async def test_a_stream_that_everybody_forgot_is_not_lost() -> None:
    """Neither read to its end nor closed: its hop ends when the next stream is opened."""
    with capture(integrations=["httpx"]) as telemetry:
        async with Events() as server, httpx.AsyncClient(trust_env=False) as client:
            request = client.build_request("GET", f"http://127.0.0.1:{server.port}/endless")
            forgotten = await client.send(request, stream=True)
            del forgotten
            gc.collect()
            assert telemetry.spans == []
            await client.get(f"http://127.0.0.1:{server.port}/at-once")

    assert len(telemetry.matching(kind=SpanKind.CLIENT)) == 2


async def test_what_the_reader_does_is_not_in_the_clients_span() -> None:
    """Between two events the application's own context is current."""
    with capture(integrations=["aiohttp-client"]) as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")
        async with (
            Events() as server,
            aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
            session.get("/events") as answer,
        ):
            async for _ in answer.content:
                tracer.start_span("handling").end()

    assert {span.parent for span in telemetry.matching(kind=SpanKind.INTERNAL)} == {None}
    assert len(telemetry.matching(kind=SpanKind.INTERNAL)) > 2


async def test_a_server_that_says_that_nobody_is_there() -> None:
    """As ASGI has it since 2.4: what the framework raises of it is no error of the server's."""
    arriving = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(arriving, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        if b"data" in message.get("body", b""):
            raise OSError("nobody there")

    async def parts() -> AsyncIterator[bytes]:
        yield b": hello\n\n"
        yield b"data: 1\n\n"

    async def stream(_: Any) -> Response:
        return StreamingResponse(parts(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/", stream)])
    scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "path": "/"}
    with capture(integrations=["starlette"]) as telemetry, pytest.raises(ClientDisconnect):
        await app({**scope, "headers": [], "query_string": b""}, receive, send)

    assert attributes(telemetry, SpanKind.SERVER)[names.SPAN_ERROR_CLASS] == "cancelled"
    assert attributes(telemetry, SpanKind.SERVER)[names.SPAN_EVENTS] == 0
