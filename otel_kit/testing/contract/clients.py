"""The contract of everything that sends requests."""

import asyncio
import copy

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, TraceFlags

from otel_kit import names
from otel_kit.testing.contract.base import Behaviour, ClientHarness
from otel_kit.testing.contract.measures import called
from otel_kit.testing.contract.subject import Subject

Harness = type[ClientHarness]
CLIENT = SpanKind.CLIENT


async def test_the_server_gets_the_context_of_the_client_span(
    subject: Subject, harness: Harness
) -> None:
    """The headers that arrive name the CLIENT span as parent."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await client.request(Behaviour.OK)

    span = telemetry.span(kind=CLIENT)
    _, trace_id, span_id, _ = client.seen[0].headers["traceparent"].split("-")
    assert (span.context.trace_id, span.context.span_id) == (int(trace_id, 16), int(span_id, 16))


async def test_the_client_span_is_a_child_of_the_callers_span(
    subject: Subject, harness: Harness
) -> None:
    """A request made within a span continues its trace."""
    with subject.record(harness.library) as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")
        async with harness() as client:
            with tracer.start_as_current_span("app") as outer:
                await client.request(Behaviour.OK)

    parent = telemetry.span(kind=CLIENT).parent
    assert parent is not None
    assert outer.get_span_context().span_id == parent.span_id


async def test_an_unsampled_caller_stays_unsampled(subject: Subject, harness: Harness) -> None:
    """The sampled flag of the current span goes out, and no span is exported."""
    with subject.record(harness.library, sampler=ALWAYS_OFF) as telemetry:
        async with harness() as client:
            await client.request(Behaviour.OK)

    flags = int(client.seen[0].headers["traceparent"].rpartition("-")[2], 16)
    assert not flags & TraceFlags.SAMPLED
    assert telemetry.spans == []


async def test_baggage_goes_out(subject: Subject, harness: Harness) -> None:
    """W3C baggage of the current context reaches the server."""
    with subject.record(harness.library):
        token = context.attach(baggage.set_baggage("saga.id", "order 17"))
        async with harness() as client:
            await client.request(Behaviour.OK)
        context.detach(token)

    assert "saga.id=order+17" in client.seen[0].headers["baggage"].replace("%20", "+")


async def test_baggage_of_others_goes_out(subject: Subject, harness: Harness) -> None:
    """A `baggage` header that the application or another library has set stays, beside ours."""
    given = {"baggage": "sentry-trace_id=abc"}
    with subject.record(harness.library):
        async with harness() as client:
            await client.request(Behaviour.OK, headers=client.native_headers(given))
            token = context.attach(baggage.set_baggage("tenant", "7"))
            await client.request(Behaviour.OK, headers=client.native_headers(given))
            context.detach(token)

    alone, beside = (seen.headers["baggage"] for seen in client.seen)
    assert alone == "sentry-trace_id=abc"
    assert set(beside.replace(" ", "").split(",")) == {"tenant=7", "sentry-trace_id=abc"}


@pytest.mark.own
async def test_the_caller_names_itself_in_tracestate(subject: Subject, harness: Harness) -> None:
    """Our tracestate member is leftmost and names the caller and its span."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await client.request(Behaviour.OK)

    span_id = telemetry.span(kind=CLIENT).context.span_id
    assert client.seen[0].headers["tracestate"] == f"otelkit=c:tested;p:{span_id:016x}"


@pytest.mark.own
async def test_server_timing_names_the_server(subject: Subject, harness: Harness) -> None:
    """The edge's server is who answered, and the span knows how long the server took."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            client.server_timing = 'otelkit;desc="billing";dur=12.5'
            await client.request(Behaviour.OK)

    attributes = telemetry.span(kind=CLIENT).attributes or {}
    assert attributes[names.PEER_NAME] == "billing"
    assert attributes[names.SPAN_SERVER_DURATION] == 0.0125
    assert called(telemetry, harness, server="billing", operation=harness.operation) == 1


@pytest.mark.own
async def test_an_unnamed_server_is_its_address(subject: Subject, harness: Harness) -> None:
    """Without Server-Timing the edge's server is host and port."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await client.request(Behaviour.OK)
            address = client.address

    assert called(telemetry, harness, server=address) == 1


async def test_the_callers_headers_object_is_not_changed(
    subject: Subject, harness: Harness
) -> None:
    """What the application passes as headers is the same afterwards, and may be reused."""
    with subject.record(harness.library):
        async with harness() as client:
            headers = client.native_headers({"x-own": "1"})
            before = copy.copy(headers)
            await client.request(Behaviour.OK, headers=headers)
            await client.request(Behaviour.OK, headers=headers)

    assert before == headers
    assert client.seen[0].headers["traceparent"] != client.seen[1].headers["traceparent"]


async def test_a_stale_context_in_the_headers_is_replaced(
    subject: Subject, harness: Harness
) -> None:
    """Headers copied from an inbound request do not win over the current span."""
    stale = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await client.request(Behaviour.OK, headers=client.native_headers(stale))

    span_id = telemetry.span(kind=CLIENT).context.span_id
    assert f"{span_id:016x}" == client.seen[0].headers["traceparent"].split("-")[2]


async def test_twenty_concurrent_hops_do_not_mix(subject: Subject, harness: Harness) -> None:
    """Each of many concurrent requests is a child of its own caller."""
    with subject.record(harness.library) as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")

        async def one(client: ClientHarness, number: int) -> None:
            with tracer.start_as_current_span(f"app {number}"):
                await client.request(Behaviour.OK)

        async with harness() as client:
            await asyncio.gather(*(one(client, number) for number in range(20)))

    callers = {s.context.span_id for s in telemetry.matching(kind=SpanKind.INTERNAL)}
    parents = {s.parent.span_id for s in telemetry.matching(kind=CLIENT) if s.parent}
    assert len(callers) == 20
    assert callers == parents


async def test_no_context_is_left_behind(subject: Subject, harness: Harness) -> None:
    """After the call the current context is what it was, also after an error."""
    with subject.record(harness.library):
        before = context.get_current()
        async with harness() as client:
            await client.request(Behaviour.OK)
            with pytest.raises(harness.connection_error):
                await client.unreachable()

        assert before is context.get_current()
        assert not trace.get_current_span().get_span_context().is_valid
