"""Hops that a consumer hands out: when they end, and what they leave behind."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest
from opentelemetry import context
from opentelemetry.trace import SpanKind

from otel_kit.hops import Hop, incoming
from otel_kit.hops.loops import Loops
from otel_kit.testing import Telemetry, capture


class Consumer:
    """Anything that hands out messages."""


class Slotted:
    """One that cannot be referred to weakly."""

    __slots__ = ()


class Unhashable:
    """One that compares by value."""

    def __eq__(self, other: object) -> bool:
        return True


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """The core alone."""
    with capture("tested", integrations=["httpx"]) as found:
        yield found


def message(offset: int = 0, topic: str = "orders") -> Hop:
    return incoming("kafka", topic, carrier={}, partition=0, offset=offset)


def ended(telemetry: Telemetry) -> int:
    return len(telemetry.matching(kind=SpanKind.CONSUMER))


@pytest.mark.parametrize("kind", [Consumer, Slotted, Unhashable])
def test_any_object_may_be_a_consumer(telemetry: Telemetry, kind: type) -> None:
    """Hops of a consumer end by its close, whether or not it can be hashed or watched."""
    loops, consumer, before = Loops(), kind(), context.get_current()
    for offset in (1, 2):
        loops.asked_again(consumer)
        loops.handed_out(consumer, message(offset))
    loops.closed(consumer)

    assert ended(telemetry) == 2
    assert context.get_current() is before


def test_equal_consumers_are_two(telemetry: Telemetry) -> None:
    """Asking one consumer does not end what an equal one handed out."""
    loops, one, other = Loops(), Unhashable(), Unhashable()
    loops.handed_out(one, message(1))
    loops.asked_again(other)
    assert ended(telemetry) == 0
    loops.closed(one)


def test_a_dropped_consumer_ends_its_hop_when_another_is_asked(telemetry: Telemetry) -> None:
    """The garbage collector ends no span; the next thing that happens does."""
    loops, before = Loops(), context.get_current()
    dropped = Consumer()
    loops.handed_out(dropped, message())
    del dropped
    gc.collect()
    assert ended(telemetry) == 0
    loops.asked_again(Consumer())

    assert ended(telemetry) == 1
    assert context.get_current() is before


def test_a_dropped_consumer_of_a_stopped_kit_ends_its_hop(telemetry: Telemetry) -> None:
    """Stopping ends what is open, dropped or not."""
    loops, kept = Loops(), Consumer()
    loops.handed_out(kept, message(1))
    dropped = Consumer()
    loops.handed_out(dropped, message(2))
    del dropped
    gc.collect()
    loops.stop()

    assert ended(telemetry) == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_hops_may_end_in_any_order(telemetry: Telemetry, order: tuple[int, int]) -> None:
    """Of two consumers read in turn either may be closed first; the context is as before."""
    loops, consumers, before = Loops(), (Consumer(), Consumer()), context.get_current()
    for offset in range(3):
        for number, consumer in enumerate(consumers):
            loops.asked_again(consumer)
            loops.handed_out(consumer, message(offset, f"topic-{number}"))
    for index in order:
        loops.closed(consumers[index])

    assert context.get_current() is before
    assert ended(telemetry) == 6


def test_what_another_thread_handles_goes_on(telemetry: Telemetry) -> None:
    """Neither asking nor closing ends the hop of a thread that is still handling its message."""
    loops, consumer = Loops(), Consumer()
    taken, asked = threading.Event(), threading.Event()

    def handle() -> None:
        loops.handed_out(consumer, message())
        taken.set()
        asked.wait()

    thread = threading.Thread(target=handle)
    thread.start()
    taken.wait()
    loops.asked_again(consumer)
    loops.closed(consumer)
    while_handled = ended(telemetry)
    asked.set()
    thread.join()
    loops.closed(consumer)

    assert (while_handled, ended(telemetry)) == (0, 1)


def test_closing_in_a_handler_of_exceptions_tells_the_error(telemetry: Telemetry) -> None:
    """The exception on its way out when a consumer is closed is the message's error."""
    loops, consumer = Loops(), Consumer()

    def handle() -> None:
        loops.handed_out(consumer, message())
        try:
            raise TimeoutError
        finally:
            loops.closed(consumer)

    with pytest.raises(TimeoutError):
        handle()

    assert (telemetry.span().attributes or {})["otel_kit.error_class"] == "timeout"


async def test_a_task_asks_for_itself(telemetry: Telemetry) -> None:
    """A task that asks again ends its own hop, not that of another task of the same thread."""
    loops, consumer = Loops(), Consumer()
    both = asyncio.Barrier(2)

    async def handle(offset: int) -> None:
        loops.handed_out(consumer, message(offset))
        await both.wait()
        if offset == 1:
            loops.asked_again(consumer)
            assert [span.name for span in telemetry.spans] == ["process orders"]
        await both.wait()

    await asyncio.gather(handle(1), handle(2))
    loops.closed(consumer)

    assert ended(telemetry) == 2


def test_where_telemetry_is_off_nothing_is_kept() -> None:
    """Without a runtime a message is handed out and nothing begins."""
    loops, consumer, before = Loops(), Consumer(), context.get_current()
    loops.handed_out(consumer, message())
    loops.asked_again(consumer)
    loops.stop()

    assert context.get_current() is before
