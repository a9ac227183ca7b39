"""The contract of what reads a log: any number of times, by groups, with headers of any bytes."""

import pytest
from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from otel_kit.testing.contract.messaging import Headers, LogConsumerHarness, as_headers
from otel_kit.testing.contract.subject import Subject

Harness = type[LogConsumerHarness]
CONSUMER = SpanKind.CONSUMER


async def test_a_message_continues_its_trace_through_a_group(
    subject: Subject, harness: Harness
) -> None:
    """A consumer that subscribes as a member of a group behaves the same."""
    with subject.record(harness.library) as telemetry:
        async with harness(grouped=True) as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()

    assert telemetry.span(kind=CONSUMER).context.trace_id == TRACE_ID


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("traceparent", b"\xff\xfe")], id="not UTF-8"),
        pytest.param([("traceparent", None)], id="None"),
        pytest.param([("traceparent", b"")], id="empty"),
        pytest.param([("traceparent", b"0" * 10_000)], id="endless"),
        pytest.param([("baggage", b"\xff"), ("tracestate", b"\xff")], id="baggage and state"),
        pytest.param(
            [*as_headers(SAMPLED), ("tracestate", b"otelkit=c:%ff;p:zz;t:zz")], id="our member"
        ),
    ],
)
async def test_undecodable_headers_never_break_the_loop(
    subject: Subject, harness: Harness, headers: Headers
) -> None:
    """The message arrives as it was sent, and the loop goes on."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(headers)
            await consumer.deliver(SAMPLED)
            record = await consumer.next()
            await consumer.next()

    assert [tuple(header) for header in record.headers] == headers
    assert len(telemetry.matching(kind=CONSUMER)) == 2


async def test_of_two_contexts_the_latest_counts(subject: Subject, harness: Harness) -> None:
    """A message that a careless forwarder left with two contexts continues the newer one."""
    older = {"traceparent": f"00-{1:032x}-{1:016x}-01"}
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(as_headers(older) + as_headers(SAMPLED))
            await consumer.next()

    assert telemetry.span(kind=CONSUMER).context.trace_id == TRACE_ID


async def test_a_redelivered_message_is_a_new_hop(subject: Subject, harness: Harness) -> None:
    """A message that is handed out twice is handled twice."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.rewind()
            await consumer.next()

    assert len({span.context.span_id for span in telemetry.matching(kind=CONSUMER)}) == 2


@pytest.mark.own
async def test_unsubscribing_ends_the_span(subject: Subject, harness: Harness) -> None:
    """Whoever stops in the midst of a loop and gives the topic away has handled the message."""
    with subject.record(harness.library) as telemetry:
        async with harness(grouped=True) as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.unsubscribe()

            assert len(telemetry.matching(kind=CONSUMER)) == 1
            assert await consumer.here(context.get_current) == Context()


@pytest.mark.own
async def test_an_undecodable_context_is_counted_as_missing(
    subject: Subject, harness: Harness
) -> None:
    """What cannot be read is not there."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver([("traceparent", b"\xff")])
            await consumer.next()

    assert telemetry.count(names.PROPAGATION_MESSAGES, result="missing") == 1
