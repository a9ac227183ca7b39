"""The contract of what the kit alone measures of a message: its edge, its dwell, its context."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing.contract.contexts import SPAN_ID, from_kit
from otel_kit.testing.contract.measures import consumed
from otel_kit.testing.contract.messaging import ConsumerHarness
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

pytestmark = pytest.mark.own
Harness = type[ConsumerHarness]
CONSUMER = SpanKind.CONSUMER
Handled = Callable[[Any], None]


async def test_the_edge_has_its_labels_and_no_others(subject: Subject, harness: Harness) -> None:
    """An edge has sender, consumer, transport, side and operation: nothing unbounded."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(from_kit("shop"))
            await consumer.next()

    (point,) = telemetry.points(names.HOP_DURATION)
    assert dict(point.labels) == {
        "client": "shop",
        "server": "tested",
        "transport": harness.transport,
        "side": "consumer",
        "operation": consumer.operation,
    }


async def test_dwell_is_from_the_senders_own_clock(subject: Subject, harness: Harness) -> None:
    """The time in our tracestate member wins over the broker's timestamp."""
    with subject.record(harness.library) as telemetry:
        async with harness(grouped=True) as consumer:
            sent = time.time_ns() - 5_000_000_000
            await consumer.deliver(from_kit("shop", sent_ns=sent), timestamp_ms=1)
            await consumer.next()

    (point,) = telemetry.points(names.QUEUE_DURATION)
    assert 5 <= point.sum < 3600
    assert dict(point.labels) == {
        "client": "shop",
        "server": "tested",
        "transport": harness.transport,
        "destination": consumer.destination,
        "group": consumer.group or "",
    }


@only(lambda harness: harness.dated is not None)
async def test_dwell_of_an_uninstrumented_sender_is_from_the_broker(
    subject: Subject, harness: Harness
) -> None:
    """Without our member the message's own timestamp says when it was sent."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(timestamp_ms=int(time.time() * 1000) - 7_000)
            await consumer.next()

    (point,) = telemetry.points(names.QUEUE_DURATION, client="unknown")
    assert 7 <= point.sum < 3600


async def test_a_message_from_the_future_waited_for_nothing(
    subject: Subject, harness: Harness
) -> None:
    """Where two clocks disagree dwell is zero, and the disagreement is counted."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            ahead = time.time_ns() + 3600 * 10**9
            await consumer.deliver(from_kit("shop", sent_ns=ahead))
            await consumer.next()

    assert [point.sum for point in telemetry.points(names.QUEUE_DURATION)] == [0]
    assert telemetry.count(names.QUEUE_CLOCK_SKEW, client="shop") == 1


async def test_a_stale_member_names_nobody(subject: Subject, harness: Harness) -> None:
    """If our member is not of the message's parent someone stood between: the client is unknown."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(from_kit("shop", span_id=SPAN_ID + 1))
            await consumer.next()

    assert consumed(telemetry, client="unknown") == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="stale") == 1


async def test_lost_context_is_counted(subject: Subject, harness: Harness) -> None:
    """A message without context, and one with a broken one, are counted as such."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver()
            await consumer.deliver({"traceparent": "00-0-0-01"})
            for _ in range(2):
                await consumer.next()

    labels = {
        "server": "tested",
        "transport": harness.transport,
        "destination": consumer.destination,
    }
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="missing", **labels) == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="invalid", **labels) == 1
