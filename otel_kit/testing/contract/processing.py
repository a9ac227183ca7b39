"""The contract of `otel_kit.process()` and of the queue's metrics: what the kit alone does."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import names
from otel_kit.testing.contract.base import HandlerError
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID, from_kit
from otel_kit.testing.contract.measures import consumed
from otel_kit.testing.contract.messaging import ConsumerHarness, LogConsumerHarness
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

pytestmark = pytest.mark.own
Harness = type[ConsumerHarness]
LogHarness = type[LogConsumerHarness]
CONSUMER = SpanKind.CONSUMER
Handled = Callable[[Any], None]


def reads_a_log(harness: Harness) -> bool:
    return issubclass(harness, LogConsumerHarness)


def failing(record: Any) -> None:
    """A handler that says which message it handles, and fails."""
    with otel_kit.process(record):
        raise ERROR


class OutOfStock(HandlerError):
    """What an application tells the kit to be no failure of its own."""


ERROR = OutOfStock("on purpose")


async def test_a_handlers_error_is_raised_unchanged(subject: Subject, harness: Harness) -> None:
    """`process(record)` raises the very same exception, and its span and edge have its class."""
    otel_kit.classify_as(otel_kit.ErrorClass.BUSINESS, OutOfStock)
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(from_kit("shop"))
            record = await consumer.next()
            with pytest.raises(HandlerError) as raised:
                await consumer.here(lambda: failing(record))

    span = telemetry.span(kind=CONSUMER)
    assert raised.value is ERROR
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[names.SPAN_ERROR_CLASS] == "business"
    assert consumed(telemetry, client="shop", error_class="business") == 1
    assert consumed(telemetry) == 1


async def test_process_within_the_loop_makes_no_second_span(
    subject: Subject, harness: Harness
) -> None:
    """The loop's span is the handler's, and ends with the block."""

    def handle(record: Any) -> int:
        with otel_kit.process(record):
            inside = trace.get_current_span().get_span_context().span_id
        assert not trace.get_current_span().get_span_context().is_valid
        return inside

    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            record = await consumer.next()
            inside = await consumer.here(lambda: handle(record))

    assert inside == telemetry.span().context.span_id
    assert consumed(telemetry) == 1


async def test_a_second_attempt_counts_once(subject: Subject, harness: Harness) -> None:
    """A handler that tries a message again makes an INTERNAL span below the message's own."""

    def twice(record: Any) -> None:
        with pytest.raises(HandlerError):
            failing(record)
        with otel_kit.process(record):
            pass

    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            record = await consumer.next()
            await consumer.here(lambda: twice(record))

    retry = telemetry.span(kind=SpanKind.INTERNAL)
    assert retry.parent is not None
    assert retry.parent.span_id == telemetry.span(kind=CONSUMER).context.span_id
    assert consumed(telemetry) == 1


async def test_a_message_handled_elsewhere_keeps_its_span(
    subject: Subject, harness: Harness
) -> None:
    """A thread that handles a message, by `process(record)`, does so in the message's span."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            record = await consumer.next()
            inside = await in_a_thread(current_span_id_processing, record)

    assert inside == telemetry.span().context.span_id
    assert consumed(telemetry) == 1


async def test_a_message_handled_later_counts_once(subject: Subject, harness: Harness) -> None:
    """What a thread handles after the loop has moved on is an INTERNAL span of the message."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.deliver()
            record = await consumer.next()
            await consumer.next()
            await asyncio.sleep(0)
            await in_a_thread(current_span_id_processing, record)

    later = telemetry.span(kind=SpanKind.INTERNAL)
    assert later.context.trace_id == TRACE_ID
    assert consumed(telemetry) == 2


def current_span_id_processing(record: Any) -> int:
    with otel_kit.process(record):
        return trace.get_current_span().get_span_context().span_id


async def in_a_thread(function: Callable[[Any], int], record: Any) -> int:
    """Call the function in a new thread, without any context of this one."""
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(function(record)))
    thread.start()
    await asyncio.to_thread(thread.join)
    return results[0]


@only(reads_a_log)
async def test_a_message_that_comes_again_counts_again(
    subject: Subject, harness: LogHarness
) -> None:
    """What a loop has handed out before is new when it is read again, as part of a batch too."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.rewind()
            (again,) = await consumer.batch(1)
            with pytest.raises(HandlerError):
                await consumer.here(lambda: failing(again))

    assert len(telemetry.matching(kind=CONSUMER)) == 2
    assert consumed(telemetry) == 2


@only(reads_a_log)
async def test_two_groups_read_one_topic(subject: Subject, harness: LogHarness) -> None:
    """The handler of one group's message is in that group's span, whoever else reads it."""
    with subject.record(harness.library) as telemetry:
        async with harness() as one, harness(topic=one.topic, grouped=True) as other:
            await one.deliver(SAMPLED)
            (read,) = await other.batch(1)
            mine = await one.next()
            await in_a_thread(current_span_id_processing, mine)
            await other.here(lambda: processed(read))

    groups = [
        (span.attributes or {}).get(names.MESSAGING_CONSUMER_GROUP) for span in telemetry.spans
    ]
    assert groups == [one.group, other.group]
    assert consumed(telemetry) == 2


async def test_a_cancelled_handler_is_cancelled(subject: Subject, harness: Harness) -> None:
    """Cancellation has its own class, and is no error of the span."""

    def cancelled(record: Any) -> None:
        with otel_kit.process(record):
            raise asyncio.CancelledError

    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            record = await consumer.next()
            with pytest.raises(asyncio.CancelledError):
                await consumer.here(lambda: cancelled(record))

    assert telemetry.span(kind=CONSUMER).status.status_code is StatusCode.UNSET
    assert consumed(telemetry, error_class="cancelled") == 1


@only(lambda harness: harness.batches)
async def test_a_batch_is_one_span_with_links(subject: Subject, harness: Harness) -> None:
    """`process(records)` links to every sender and is a child of none."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            for number in (1, 2):
                await consumer.deliver({"traceparent": f"00-{number:032x}-{number:016x}-01"})
            await consumer.deliver()
            records = await consumer.batch(3)
            await consumer.here(lambda: processed(records))

    span = telemetry.span()
    assert span.parent is None
    assert [link.context.span_id for link in span.links] == [1, 2]
    assert (span.attributes or {})[names.MESSAGING_BATCH_COUNT] == 3


@only(lambda harness: harness.batches)
async def test_each_message_of_a_batch_counts_for_its_own_edge(
    subject: Subject, harness: Harness
) -> None:
    """A batch counts and dwells once per message, each with the client that sent it."""
    with subject.record(harness.library) as telemetry:
        async with harness(grouped=True) as consumer:
            now = time.time_ns()
            await consumer.deliver(from_kit("shop", sent_ns=now - 2_000_000_000))
            await consumer.deliver(from_kit("shop", sent_ns=now - 3_000_000_000))
            await consumer.deliver(from_kit("web", sent_ns=now - 4_000_000_000))
            records = await consumer.batch(3)
            await consumer.here(lambda: processed(records))

    labels = {
        "server": "tested",
        "destination": consumer.destination,
        "group": consumer.group or "",
    }
    assert consumed(telemetry, client="shop", server="tested") == 2
    assert consumed(telemetry, client="web", server="tested") == 1
    (shop,) = telemetry.points(names.QUEUE_DURATION, client="shop", **labels)
    (web,) = telemetry.points(names.QUEUE_DURATION, client="web", **labels)
    assert (shop.count, web.count) == (2, 1)
    assert shop.sum >= 5
    assert web.sum >= 4


def processed(records: Any) -> None:
    with otel_kit.process(records):
        pass


async def test_messages_collected_in_a_loop_count_once(subject: Subject, harness: Harness) -> None:
    """A batch of messages that a loop handed out is a span of its own, and counts none again."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.deliver(SAMPLED)
            records = [await consumer.next(), await consumer.next()]
            await consumer.here(lambda: processed(records))

    assert consumed(telemetry) == 2


async def test_a_dropped_consumer_ends_its_hop(subject: Subject, harness: Harness) -> None:
    """What an application that neither asks again nor closes was handling ends with the kit."""
    with subject.record(harness.library) as telemetry:
        consumer = harness()
        await consumer.open()
        await consumer.deliver(SAMPLED)
        await consumer.next()

    assert consumed(telemetry) == 1
    assert telemetry.span(kind=CONSUMER).context.trace_id == TRACE_ID
    await consumer.__aexit__()


async def test_what_cannot_be_described_is_handed_out_all_the_same(
    subject: Subject, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description that raises loses a span, and changes nothing else."""
    with subject.record(harness.library, strict=False) as telemetry:
        async with harness() as consumer:
            before = await consumer.here(context.get_current)
            monkeypatch.setattr("otel_kit.hops.messaging.names", None)
            await consumer.deliver(SAMPLED)
            record = await consumer.next()
            after = await consumer.here(context.get_current)
            monkeypatch.undo()

    assert consumer.value(record) == b"value"
    assert after == before  # a handler that is called may have a context of its own
    assert telemetry.spans == []
