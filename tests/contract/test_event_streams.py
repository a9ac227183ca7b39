"""The contract of HTTP clients and servers: server-sent events."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing.contract.base import EVENTS, Behaviour
from otel_kit.testing.contract.http_client import HttpClient
from otel_kit.testing.contract.http_server import HttpServer
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject
from tests.contract.harness import CLIENTS, SERVERS

pytestmark = pytest.mark.own
Client = type[HttpClient]
Server = type[HttpServer]
clients = pytest.mark.parametrize(
    "harness",
    [h for h in CLIENTS if issubclass(h, HttpClient) and hasattr(h, "broken_error")],
    ids=lambda h: h.__name__,
)
servers = pytest.mark.parametrize(
    "harness",
    [h for h in SERVERS if issubclass(h, HttpServer) and h.event_streams],
    ids=lambda h: h.__name__,
)


@clients
async def test_an_event_stream_is_one_hop_until_it_is_read(
    subject: Subject, harness: Client
) -> None:
    """The one CLIENT span ends with the stream, and counts its events, wherever they were cut."""
    ended: list[int] = []
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            client.on_part = lambda: ended.append(len(telemetry.spans))
            await client.read_events(Behaviour.EVENTS)

    (span,) = telemetry.spans
    attributes = span.attributes or {}
    assert client.received == b"".join(EVENTS)
    assert attributes[names.SPAN_EVENTS] == 3
    assert names.SPAN_ERROR_CLASS not in attributes
    (point,) = telemetry.points(names.HOP_DURATION)
    assert 0 < attributes[names.SPAN_FIRST_BYTE] <= point.sum


@clients
async def test_a_reader_that_has_enough_ends_the_hop(subject: Subject, harness: Client) -> None:
    """A stream that is closed before its end is no error: the hop ends there."""
    ended: list[int] = []
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            client.on_part = lambda: ended.append(len(telemetry.spans))
            await client.read_events(Behaviour.ENDLESS, stop=b"three")

    (span,) = telemetry.spans
    assert set(ended) == {0}
    assert span.status.status_code is StatusCode.UNSET
    assert names.SPAN_ERROR_CLASS not in (span.attributes or {})
    assert (span.attributes or {})[names.SPAN_EVENTS] == 3


@clients
async def test_a_stream_that_breaks_off_is_an_error(subject: Subject, harness: Client) -> None:
    """What the reader gets instead of the end is the hop's error."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            with pytest.raises(harness.broken_error):
                await client.read_events(Behaviour.BROKEN)

    (span,) = telemetry.spans
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.count(names.HOP_DURATION, error_class="connection") == 1


@servers
async def test_an_event_stream_is_one_hop_to_its_end(subject: Subject, harness: Server) -> None:
    """The one SERVER span counts the events that were sent, wherever their parts were cut."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            await server.request(Behaviour.EVENTS)

    (span,) = telemetry.matching(kind=SpanKind.SERVER)
    attributes = span.attributes or {}
    assert attributes[names.SPAN_EVENTS] == 3
    assert names.SPAN_ERROR_CLASS not in attributes
    (point,) = telemetry.points(names.HOP_DURATION)
    assert 0 < attributes[names.SPAN_FIRST_BYTE] <= point.sum


@servers
@only(lambda harness: harness.sees_hang_ups)
async def test_a_reader_that_hung_up_has_cancelled_it(subject: Subject, harness: Server) -> None:
    """A stream whose reader goes away is one hop of class `cancelled`, and no error."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            await server.hang_up()
            await server.settled()

    (span,) = telemetry.matching(kind=SpanKind.SERVER)
    assert span.status.status_code is StatusCode.UNSET
    assert telemetry.count(names.HOP_DURATION, error_class="cancelled") == 1
    assert (span.attributes or {})[names.SPAN_EVENTS] == 3


@servers
async def test_nothing_else_is_counted(subject: Subject, harness: Server) -> None:
    """A streamed answer of another type has no events and no first byte."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            await server.request(Behaviour.STREAMS)

    (span,) = telemetry.matching(kind=SpanKind.SERVER)
    assert {names.SPAN_EVENTS, names.SPAN_FIRST_BYTE}.isdisjoint(span.attributes or {})
