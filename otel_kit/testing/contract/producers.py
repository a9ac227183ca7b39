"""The contract of everything that sends messages."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, TraceFlags

from otel_kit import names
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID
from otel_kit.testing.contract.measures import durations
from otel_kit.testing.contract.messaging import Headers, ProducerHarness, named
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

positional = only(lambda harness: harness.positional)
acknowledged = only(lambda harness: harness.acknowledged)
Harness = type[ProducerHarness]
PRODUCER = SpanKind.PRODUCER


def parent_id(headers: Headers) -> int:
    """The span that the one `traceparent` of a message names."""
    (traceparent,) = named(headers, "traceparent")
    return int(traceparent.split("-")[2], 16)


async def test_the_message_carries_the_context_of_the_producer_span(
    subject: Subject, harness: Harness
) -> None:
    """The message that arrives names the PRODUCER span as parent."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send()

    (headers,) = await producer.received()
    assert parent_id(headers) == telemetry.span(kind=PRODUCER).context.span_id


async def test_the_producer_span_is_a_child_of_the_callers_span(
    subject: Subject, harness: Harness
) -> None:
    """A message sent within a span continues its trace."""
    with subject.record(harness.library) as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")
        async with harness() as producer:
            with tracer.start_as_current_span("app") as outer:
                await producer.send()

    parent = telemetry.span(kind=PRODUCER).parent
    assert parent is not None
    assert outer.get_span_context().span_id == parent.span_id


async def test_an_unsampled_caller_stays_unsampled(subject: Subject, harness: Harness) -> None:
    """The sampled flag of the current span goes out, and no span is exported."""
    with subject.record(harness.library, sampler=ALWAYS_OFF) as telemetry:
        async with harness() as producer:
            await producer.send()

    (headers,) = await producer.received()
    flags = int(named(headers, "traceparent")[0].rpartition("-")[2], 16)
    assert not flags & TraceFlags.SAMPLED
    assert telemetry.spans == []


async def test_baggage_goes_out(subject: Subject, harness: Harness) -> None:
    """W3C baggage of the current context reaches the topic."""
    with subject.record(harness.library):
        token = context.attach(baggage.set_baggage("saga.id", "order 17"))
        async with harness() as producer:
            await producer.send()
        context.detach(token)

    (headers,) = await producer.received()
    assert "saga.id=order+17" in named(headers, "baggage")[0].replace("%20", "+")


@pytest.mark.own
async def test_the_sender_names_itself_and_its_time_in_tracestate(
    subject: Subject, harness: Harness
) -> None:
    """Our tracestate member names the sender, its span and the time of sending."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send()

    (headers,) = await producer.received()
    span = telemetry.span(kind=PRODUCER)
    member, sent = named(headers, "tracestate")[0].rsplit(";t:", 1)
    assert member == f"otelkit=c:tested;p:{span.context.span_id:016x}"
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= int(sent, 16) <= span.end_time


async def test_the_callers_headers_are_not_changed(subject: Subject, harness: Harness) -> None:
    """A list of headers used for many messages stays as it is, and no message grows."""
    with subject.record(harness.library):
        async with harness() as producer:
            headers = producer.native_headers({"x-own": "1"})
            before = deepcopy(headers)
            for _ in range(3):
                await producer.send(headers=headers)

    assert headers == before
    for received in await producer.received(3):
        assert len(named(received, "traceparent")) == 1
        assert named(received, "x-own") == ["1"]


@positional
async def test_headers_by_position_arrive(subject: Subject, harness: Harness) -> None:
    """Headers given by position go out with the context beside them."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send_by_position(producer.native_headers({"x-own": "1"}))

    (headers,) = await producer.received()
    assert named(headers, "x-own") == ["1"]
    assert parent_id(headers) == telemetry.span(kind=PRODUCER).context.span_id


@positional
async def test_no_headers_by_position_are_no_headers(subject: Subject, harness: Harness) -> None:
    """`None` in the place of the headers sends the message, with its context."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send_by_position(None)

    (headers,) = await producer.received()
    assert parent_id(headers) == telemetry.span(kind=PRODUCER).context.span_id


async def test_a_forwarded_message_takes_its_new_parent(subject: Subject, harness: Harness) -> None:
    """Headers of a consumed message, sent on, name the span that sends them, and no other."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send(headers=producer.native_headers(SAMPLED))

    (headers,) = await producer.received()
    assert parent_id(headers) == telemetry.span(kind=PRODUCER).context.span_id


async def test_a_forwarded_message_is_linked_to_its_origin(
    subject: Subject, harness: Harness
) -> None:
    """The context that a forwarded message came with is a link of the span that sends it on."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send(headers=producer.native_headers(SAMPLED))

    (link,) = telemetry.span(kind=PRODUCER).links
    assert link.context.span_id == SPAN_ID


@pytest.mark.own
async def test_a_forwarded_messages_saga_is_not_the_senders(
    subject: Subject, harness: Harness
) -> None:
    """Outside a saga the saga of a message that is sent on does not go with it, its tenant does."""
    with subject.record(harness.library):
        async with harness() as producer:
            baggage_of_another = {"baggage": "saga.id=1,tenant=7,saga.name=n"}
            await producer.send(headers=producer.native_headers(baggage_of_another))

    (headers,) = await producer.received()
    assert named(headers, "baggage") == ["tenant=7"]


@acknowledged
async def test_a_send_lasts_until_it_is_acknowledged(subject: Subject, harness: Harness) -> None:
    """The PRODUCER span is not over while the broker does not have the message."""
    with subject.record(harness.library) as telemetry:
        early: list[Any] = []
        async with harness() as producer:
            await producer.send_and_look(lambda: early.extend(telemetry.spans))

    assert early == []
    assert telemetry.span(kind=PRODUCER).status.status_code is StatusCode.UNSET


async def test_a_send_is_measured(subject: Subject, harness: Harness) -> None:
    """The duration of a send is recorded under the conventions' name."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send()

    (point,) = durations(telemetry, harness.transport, "producer")
    assert point.count == 1
    assert point.labels["messaging.destination.name"] == producer.destination


@pytest.mark.own
async def test_the_edge_has_its_labels_and_no_others(subject: Subject, harness: Harness) -> None:
    """An edge has sender, broker, transport, side and operation: nothing unbounded."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            await producer.send()

    (point,) = telemetry.points(names.HOP_DURATION)
    assert dict(point.labels) == {
        "client": "tested",
        "server": harness.transport,
        "transport": harness.transport,
        "side": "producer",
        "operation": producer.operation,
    }


async def test_fifty_concurrent_sends_do_not_mix(subject: Subject, harness: Harness) -> None:
    """Each of many concurrent messages is a child of its own caller."""
    with subject.record(harness.library) as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")

        async def one(producer: ProducerHarness, number: int) -> None:
            with tracer.start_as_current_span(f"app {number}"):
                await producer.send(headers=producer.native_headers({"number": str(number)}))

        async with harness() as producer:
            await asyncio.gather(*(one(producer, number) for number in range(50)))

    app = {span.context.span_id: span.name for span in telemetry.matching(kind=SpanKind.INTERNAL)}
    sent = {
        span.context.span_id: app[span.parent.span_id]
        for span in telemetry.matching(kind=PRODUCER)
        if span.parent is not None
    }
    arrived = await producer.received(50)
    assert len({parent_id(headers) for headers in arrived}) == 50
    for headers in arrived:
        assert sent[parent_id(headers)] == f"app {named(headers, 'number')[0]}"


async def test_no_context_is_left_behind(subject: Subject, harness: Harness) -> None:
    """After a send the current context is what it was, also after an error."""
    with subject.record(harness.library):
        before = context.get_current()
        async with harness() as producer:
            await producer.send()
            value, error = harness.unsendable
            with pytest.raises(error):
                await producer.send(value=value)

        assert before is context.get_current()
        assert not trace.get_current_span().get_span_context().is_valid
