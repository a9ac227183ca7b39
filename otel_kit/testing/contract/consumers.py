"""The contract of everything that hands out messages: what holds of any instrumentation."""

import asyncio
import time

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing.contract.base import HandlerError
from otel_kit.testing.contract.contexts import (
    SAMPLED,
    SPAN_ID,
    TRACE_ID,
    UNSAMPLED,
    current_span_id,
    numbered,
)
from otel_kit.testing.contract.measures import durations
from otel_kit.testing.contract.messaging import ConsumerHarness
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

Harness = type[ConsumerHarness]
CONSUMER = SpanKind.CONSUMER


async def test_a_message_continues_the_trace_of_its_sender(
    subject: Subject, harness: Harness
) -> None:
    """The CONSUMER span is a child of the span that sent the message."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()

    span = telemetry.span(kind=CONSUMER)
    assert span.context.trace_id == TRACE_ID
    assert span.parent is not None
    assert (span.parent.span_id, span.parent.is_remote) == (SPAN_ID, True)


async def test_a_message_without_context_starts_a_trace(subject: Subject, harness: Harness) -> None:
    """A message of an uninstrumented sender gets a root span."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver()
            await consumer.next()

    assert telemetry.span(kind=CONSUMER).parent is None


async def test_an_unsampled_sender_is_respected(subject: Subject, harness: Harness) -> None:
    """No span is exported for a message of an unsampled trace."""
    with subject.record(harness.library, sampler=ParentBased(ALWAYS_ON)) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(UNSAMPLED)
            await consumer.next()

    assert telemetry.spans == []


async def test_baggage_reaches_the_handler(subject: Subject, harness: Harness) -> None:
    """W3C baggage of the message is the baggage of its handler."""
    with subject.record(harness.library):
        async with harness() as consumer:
            await consumer.deliver({**SAMPLED, "baggage": "saga.id=order%2017"})
            await consumer.next()
            seen = await consumer.here(lambda: dict(baggage.get_all()))

    assert seen == {"saga.id": "order 17"}


async def test_the_handler_runs_inside_the_span(subject: Subject, harness: Harness) -> None:
    """The current span of the code that handles a message is its CONSUMER span."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            inside = await consumer.here(current_span_id)

    assert inside == telemetry.span(kind=CONSUMER).context.span_id


async def test_spans_of_the_handler_are_its_children(subject: Subject, harness: Harness) -> None:
    """What the handler does is a child of the CONSUMER span, in the sender's trace."""
    with subject.record(harness.library) as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.here(lambda: tracer.start_span("work").end())

    work = telemetry.span("work")
    assert work.context.trace_id == TRACE_ID
    assert work.parent is not None
    assert work.parent.span_id == telemetry.span(kind=CONSUMER).context.span_id


async def test_each_message_has_its_own_span(subject: Subject, harness: Harness) -> None:
    """A loop over messages of several traces makes one span in each trace."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            for number in (1, 2, 3):
                await consumer.deliver({"traceparent": f"00-{number:032x}-{SPAN_ID:016x}-01"})
            for _ in range(3):
                await consumer.next()

    assert [span.context.trace_id for span in telemetry.matching(kind=CONSUMER)] == [1, 2, 3]


async def test_the_span_lasts_while_the_message_is_handled(
    subject: Subject, harness: Harness
) -> None:
    """The span ends when the next message is asked for, and not before."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.deliver(SAMPLED)
            await consumer.next()
            while_handled = len(telemetry.spans)
            await consumer.next()
            await asyncio.sleep(0)
            afterwards = len(telemetry.spans)

    assert (while_handled, afterwards) == (0, 1)


async def test_an_empty_poll_makes_no_span(subject: Subject, harness: Harness) -> None:
    """Asking where no message is leaves no span and no measurement."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.nothing()

    assert telemetry.spans == []
    assert durations(telemetry, harness.transport, "consumer") == []


@only(lambda harness: harness.closing)
async def test_closing_the_consumer_ends_the_span(subject: Subject, harness: Harness) -> None:
    """Whoever stops in the midst of a loop and closes the consumer has handled the message."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.close()

            assert telemetry.span(kind=CONSUMER).status.status_code is StatusCode.UNSET


async def test_a_handler_that_fails_ends_its_span_as_an_error(
    subject: Subject, harness: Harness
) -> None:
    """What a handler raises, or what leaves a loop and closes the consumer, is the message's."""
    with subject.record(harness.library) as telemetry:
        consumer = harness()
        await consumer.open()
        await consumer.deliver(SAMPLED)
        await consumer.next()
        await consumer.fail(HandlerError("on purpose"))
        await consumer.__aexit__()

    span = telemetry.span(kind=CONSUMER)
    assert span.status.status_code is StatusCode.ERROR
    assert "HandlerError" in str((span.attributes or {})[names.ERROR_TYPE])


async def test_no_context_is_left_behind(subject: Subject, harness: Harness) -> None:
    """After the loop the context of its thread or task is what it was."""
    with subject.record(harness.library):
        async with harness() as consumer:
            before = await consumer.here(context.get_current)
            await consumer.deliver(SAMPLED)
            await consumer.deliver(SAMPLED)
            await consumer.next()
            await consumer.next()
            await consumer.close()

            assert await consumer.here(context.get_current) is before


@only(lambda harness: harness.loop)
async def test_two_consumers_are_read_in_turn(subject: Subject, harness: Harness) -> None:
    """Each message is handled in its own trace, and no context is left behind."""
    with subject.record(harness.library) as telemetry:
        async with harness() as one, harness() as other:
            other.here = one.here  # type: ignore[method-assign]  # both in the same thread
            before = await one.here(context.get_current)
            seen = []
            for number in (1, 2, 3, 4):
                consumer = one if number % 2 else other
                await consumer.deliver({"traceparent": f"00-{number:032x}-{SPAN_ID:016x}-01"})
                await consumer.next()
                seen.append(await one.here(current_trace_id))
            await one.close()
            await other.close()
            after = await one.here(context.get_current)

    assert seen == [1, 2, 3, 4]
    assert after is before
    assert len(telemetry.matching(kind=CONSUMER)) == 4


def current_trace_id() -> int:
    return trace.get_current_span().get_span_context().trace_id


async def test_handling_is_measured(subject: Subject, harness: Harness) -> None:
    """The duration of handling is recorded under the conventions' name."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            await consumer.deliver(SAMPLED)
            await consumer.next()

    (point,) = durations(telemetry, harness.transport, "consumer")
    assert point.count == 1
    assert point.labels["messaging.destination.name"] == consumer.destination


async def test_uninstrumenting_puts_the_library_back(subject: Subject, harness: Harness) -> None:
    """After the end of instrumentation a message is handed out without a span."""
    with subject.record(harness.library) as telemetry:
        pass
    async with harness() as consumer:
        await consumer.deliver(SAMPLED, timestamp_ms=int(time.time() * 1000))
        await consumer.next()
        current = await consumer.here(context.get_current)

    assert telemetry.spans == []
    assert current == Context()


@only(lambda harness: harness.concurrent)
async def test_fifty_handlers_at_once_do_not_mix(subject: Subject, harness: Harness) -> None:
    """Each runs within the hop of its own message, while all the others are under way."""
    with subject.record(harness.library) as telemetry:
        async with harness() as consumer:
            for headers in numbered():
                await consumer.deliver(headers)
            inside = await consumer.all_at_once(50, current_span_id)

    spans = {span.context.span_id: span.context.trace_id for span in telemetry.spans}
    assert set(inside) == set(spans)
    assert sorted(spans.values()) == list(range(1, 51))
    assert telemetry.count(names.HOP_DURATION, side="consumer") == 50
