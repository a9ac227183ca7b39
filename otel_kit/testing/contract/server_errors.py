"""The contract of everything that answers requests: when something is wrong."""

import asyncio

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing.contract.base import Behaviour, HandlerError, ServerHarness
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID
from otel_kit.testing.contract.measures import durations, served
from otel_kit.testing.contract.subject import Subject

Harness = type[ServerHarness]
SERVER = SpanKind.SERVER


ERRORS = {
    Behaviour.CLIENT_ERROR: ("client_error", StatusCode.UNSET),
    Behaviour.THROTTLED: ("throttled", StatusCode.UNSET),
    Behaviour.SERVER_ERROR: ("server_error", StatusCode.ERROR),
}


@pytest.mark.parametrize("behaviour", ERRORS)
async def test_an_error_answer_is_an_error_only_if_it_is_the_servers(
    subject: Subject, harness: Harness, behaviour: Behaviour
) -> None:
    """The span's status is ERROR for what the server got wrong, and not for what its caller did."""
    with subject.record(harness.library) as telemetry:
        await harness.once(behaviour)

    assert ERRORS[behaviour][1] is telemetry.span(kind=SERVER).status.status_code


@pytest.mark.own
@pytest.mark.parametrize("behaviour", ERRORS)
async def test_an_error_answer_is_classed(
    subject: Subject, harness: Harness, behaviour: Behaviour
) -> None:
    """Span and edge have the error's class, one vocabulary over all transports."""
    with subject.record(harness.library) as telemetry:
        await harness.once(behaviour)

    error_class, _ = ERRORS[behaviour]
    attributes = telemetry.span(kind=SERVER).attributes or {}
    assert error_class == attributes[names.SPAN_ERROR_CLASS]
    assert served(telemetry, harness, error_class=error_class) == 1


async def test_an_uncaught_exception_is_an_error(subject: Subject, harness: Harness) -> None:
    """An exception nobody caught ends the span as an error, and is recorded once."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.RAISES)

    span = telemetry.span(kind=SERVER)
    assert StatusCode.ERROR is span.status.status_code
    assert [HandlerError.__name__] == [
        str((event.attributes or {})["exception.type"]).rpartition(".")[2] for event in span.events
    ]


@pytest.mark.own
async def test_an_uncaught_exception_is_a_server_error(subject: Subject, harness: Harness) -> None:
    """An exception nobody caught is of class server_error."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.RAISES)

    assert served(telemetry, harness, error_class="server_error") == 1


async def test_a_handler_whose_caller_hung_up_ends_its_hop(
    subject: Subject, harness: Harness
) -> None:
    """When the caller goes away its span ends with the handler, and is measured once."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            arrived = asyncio.Event()
            server.on_request = arrived.set
            asking = asyncio.create_task(server.request(Behaviour.SILENT))
            await arrived.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await server.settled()

    assert [p.count for p in durations(telemetry, harness.transport, "server")] == [1]
    assert len(telemetry.matching(kind=SERVER)) == 1


async def test_what_is_not_served_has_a_bounded_name(subject: Subject, harness: Harness) -> None:
    """Paths and methods nobody serves are the caller's to choose: they are in no label."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            for number in range(3):
                await server.request(Behaviour.OK, path=f"/nothing/{number}")

    points = durations(telemetry, harness.transport, "server")
    assert [point.count for point in points] == [3]
    assert not any("nothing" in str(label) for label in points[0].labels.values())
    assert len({span.name for span in telemetry.spans}) == 1


@pytest.mark.own
async def test_the_edge_of_what_is_not_served_is_one(subject: Subject, harness: Harness) -> None:
    """All of it is one operation of the edge, an error of the caller's."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            for number in range(3):
                await server.request(Behaviour.OK, path=f"/nothing/{number}")

    operations = {p.labels["operation"] for p in telemetry.points(names.HOP_DURATION)}
    assert {harness.unknown} == operations
    assert served(telemetry, harness, error_class=harness.unknown_class) == 3


HOSTILE = [
    {"traceparent": "00-zz-zz-01"},
    {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"},
    {"traceparent": "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    {"traceparent": "x" * 3000},
]


async def test_hostile_headers_do_no_harm(subject: Subject, harness: Harness) -> None:
    """Malformed, huge and lying headers lose the context and nothing else."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            for headers in HOSTILE:
                reply = await server.request(Behaviour.OK, headers=headers)
                assert reply.status == server.ok_status

    assert len(telemetry.matching(kind=SERVER)) == len(HOSTILE)
    assert all(span.parent is None for span in telemetry.matching(kind=SERVER))


@pytest.mark.own
async def test_hostile_headers_are_counted(subject: Subject, harness: Harness) -> None:
    """Each context that cannot be read is counted as invalid."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            for headers in HOSTILE:
                await server.request(Behaviour.OK, headers=headers)

    assert telemetry.count(names.PROPAGATION_MESSAGES, result="invalid") == len(HOSTILE)


async def test_a_bad_member_of_ours_does_not_lose_the_trace(
    subject: Subject, harness: Harness
) -> None:
    """A tracestate member that makes no sense leaves the trace as it is."""
    bad = f"otelkit=c:%ff%fe;p:{SPAN_ID:016x};t:zz"
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK, {**SAMPLED, "tracestate": bad})

    assert telemetry.span(kind=SERVER).context.trace_id == TRACE_ID
