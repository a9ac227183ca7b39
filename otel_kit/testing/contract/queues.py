"""The contract of what takes messages from a queue: crashes, refusals, restarts, many at once."""

import asyncio

from opentelemetry.trace import SpanKind

from otel_kit.testing import Telemetry
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID, numbered
from otel_kit.testing.contract.messaging import QueueConsumerHarness, as_headers
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

Harness = type[QueueConsumerHarness]
CONSUMER = SpanKind.CONSUMER


def each_of_its_own(telemetry: Telemetry, count: int) -> None:
    """That many hops, each another one below the sender's span, each counted."""
    spans = telemetry.matching(kind=CONSUMER)
    assert len({span.context.span_id for span in spans}) == len(spans) == count
    assert {span.context.trace_id for span in spans} == {TRACE_ID}
    assert {span.parent and span.parent.span_id for span in spans} == {SPAN_ID}


async def test_a_message_comes_again_after_a_crash(subject: Subject, harness: Harness) -> None:
    """A consumer that dies in the midst of a message leaves it to the next: two hops, one trace."""
    with subject.record(harness.library) as telemetry:
        async with harness() as dies:
            await dies.deliver(SAMPLED)
            await dies.next()
            await dies.crash()
        async with harness(topic=dies.topic) as lives:
            await lives.next()
            await lives.acknowledge()

    each_of_its_own(telemetry, 2)


async def test_a_message_that_is_given_back_comes_again(subject: Subject, harness: Harness) -> None:
    """Each time that it is handled is a hop below the span that sent it."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.give_back()
            await consumer.next()
            await consumer.acknowledge()

    each_of_its_own(telemetry, 2)


async def test_an_acknowledged_message_does_not_come_again(
    subject: Subject, harness: Harness
) -> None:
    """Acknowledging works as without the kit."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.acknowledge()
        async with harness(topic=consumer.topic) as other:
            await other.nothing()

    each_of_its_own(telemetry, 1)


@only(lambda harness: harness.dead_letters)
async def test_a_dead_letter_keeps_its_context(subject: Subject, harness: Harness) -> None:
    """What the broker puts into another queue still names the span that sent it first."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            dead = await consumer.reject()
        (headers,) = await asyncio.to_thread(consumer.broker.received, dead, 1)

    assert as_headers(SAMPLED)[0] in headers
    each_of_its_own(telemetry, 1)


async def test_messages_stay_in_order(subject: Subject, harness: Harness) -> None:
    """They are handed out in the order in which they were sent, each in its own trace."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            for headers, _ in zip(numbered(), range(5), strict=False):
                await consumer.deliver(headers)
            for _ in range(5):
                await consumer.next()
                await consumer.acknowledge()

    assert [each.context.trace_id for each in telemetry.matching(kind=CONSUMER)] == [1, 2, 3, 4, 5]


@only(lambda harness: harness.restarts)
async def test_a_broker_that_restarts_in_the_middle(subject: Subject, harness: Harness) -> None:
    """The message of before and the one of afterwards are a hop each, in the sender's trace."""
    cluster = harness.brokers.alone()
    try:
        with subject.record(harness.library) as telemetry:
            async with harness(cluster) as consumer:
                await consumer.deliver(SAMPLED)
                await consumer.next()
                await consumer.acknowledge()
                await asyncio.to_thread(cluster.restart)
                await consumer.recover()
                await consumer.deliver(SAMPLED)
                await consumer.next()
                await consumer.acknowledge()
    finally:
        await asyncio.to_thread(cluster.close)

    each_of_its_own(telemetry, 2)
