"""Hops that a consumer hands out: when they end, and what they leave behind."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from opentelemetry import context
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, call, incoming, process
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
            await asyncio.sleep(0)
            assert [span.name for span in telemetry.spans] == ["process orders"]
        await both.wait()

    await asyncio.gather(handle(1), handle(2))
    loops.closed(consumer)

    assert ended(telemetry) == 2


async def test_a_task_that_the_body_creates_takes_the_hop_over(telemetry: Telemetry) -> None:
    """Messages dispatched to tasks last, and fail, as their tasks do, and count once."""
    loops, consumer = Loops(), Consumer()
    tasks = []

    async def handle(hop: Hop) -> None:
        with process(hop):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            raise TimeoutError

    for offset in range(3):  # without a pause: no task has its turn before the next message
        loops.asked_again(consumer)
        loops.handed_out(consumer, hop := message(offset))
        tasks.append(asyncio.create_task(handle(hop)))
    loops.asked_again(consumer)
    await asyncio.gather(*tasks, return_exceptions=True)
    loops.closed(consumer)

    assert [span.kind for span in telemetry.spans] == [SpanKind.CONSUMER] * 3
    (point,) = telemetry.points(names.HOP_DURATION)
    assert (point.count, point.labels["error_class"]) == (3, "timeout")


def test_a_thread_that_has_taken_a_hop_over_ends_it(telemetry: Telemetry) -> None:
    """Asking for the next message does not end the hop that another thread's `process` is in."""
    loops, consumer, entered, asked = Loops(), Consumer(), threading.Event(), threading.Event()
    loops.handed_out(consumer, hop := message())

    def handle() -> None:
        with suppress(TimeoutError), process(hop):
            entered.set()
            asked.wait()
            raise TimeoutError

    thread = threading.Thread(target=handle)
    thread.start()
    entered.wait()
    loops.asked_again(consumer)
    assert telemetry.spans == []
    asked.set()
    thread.join()

    assert (telemetry.span().attributes or {})["otel_kit.error_class"] == "timeout"


async def test_the_clock_stops_when_the_next_message_is_asked_for(telemetry: Telemetry) -> None:
    """What a task does between asking and the event loop's next turn is no part of the hop."""
    loops, consumer = Loops(), Consumer()
    loops.handed_out(consumer, message())
    loops.asked_again(consumer)
    asked_at = time.time_ns()
    await asyncio.sleep(0)

    assert (telemetry.span().end_time or asked_at + 1) <= asked_at


def test_equal_messages_are_two_deliveries(telemetry: Telemetry) -> None:
    """What another cluster, or the same one again, delivers under the same offset counts anew."""
    loops, consumer = Loops(), Consumer()
    loops.handed_out(consumer, message())
    loops.asked_again(consumer)
    with process(message()):
        pass

    assert ended(telemetry) == 2


async def test_what_a_task_died_of_is_the_messages_error(telemetry: Telemetry) -> None:
    """The hop of a task that is gone has the exception of that task."""
    loops, consumer = Loops(), Consumer()

    async def handle() -> None:
        loops.handed_out(consumer, message())
        raise TimeoutError

    task = asyncio.create_task(handle())
    await asyncio.wait([task])
    loops.asked_again(consumer)

    assert isinstance(task.exception(), TimeoutError)
    assert (telemetry.span().attributes or {})["otel_kit.error_class"] == "timeout"


def test_a_hop_that_has_ended_is_not_kept(telemetry: Telemetry) -> None:
    """Of the messages handed out before, only what a later `process` needs stays in memory."""
    loops, consumer = Loops(), Consumer()
    hops = [message(offset) for offset in range(10)]
    for hop in hops:
        loops.asked_again(consumer)
        loops.handed_out(consumer, hop)
    loops.asked_again(consumer)
    gc.collect()
    alive = [each for each in gc.get_objects() if type(each) is ActiveHop and each.hop in hops]

    assert alive == []


async def test_a_task_that_starts_its_successor_keeps_no_chain(telemetry: Telemetry) -> None:
    """A hop refers to no hop that has ended, however deep they were begun within each other."""
    done = asyncio.Event()
    ticks = Hop(system="http", operation="tick", peer="there")
    alive: list[int] = []

    async def tick(left: int) -> None:
        with call(ticks):
            following = asyncio.create_task(tick(left - 1)) if left else None
            await asyncio.sleep(0)  # the next one begins before this one ends
            await asyncio.sleep(0)
        if following is None:
            gc.collect()
            found = [each for each in gc.get_objects() if type(each) is ActiveHop]
            alive.append(sum(each.hop is ticks for each in found))
            done.set()

    tasks = asyncio.create_task(tick(50))
    await done.wait()
    await tasks

    assert alive[0] < 10


def test_where_telemetry_is_off_nothing_is_kept() -> None:
    """Without a runtime a message is handed out and nothing begins."""
    loops, consumer, before = Loops(), Consumer(), context.get_current()
    loops.handed_out(consumer, message())
    loops.asked_again(consumer)
    loops.stop()

    assert context.get_current() is before
