"""What is particular to aio-pika's consumers: handlers, loops, round trips, dead letters."""

import asyncio
import functools
from contextlib import suppress
from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import QueueEmpty
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.testing import Telemetry
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from tests.contract.harness.rabbitmq import Rabbit, dead_letters_of
from tests.integrations.aio_pika.spans import current_trace_id, new_name

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


# -- what is received ---------------------------------------------------------------------------


async def test_the_body_of_async_for_is_the_handler(
    telemetry: Telemetry, channel: Any, broker: Rabbit
) -> None:
    """Each turn of the loop is in the trace of its message, and nothing is left after it."""
    topic, before, seen = broker.topic(), context.get_current(), []
    queue = await channel.get_queue(topic)
    for number in (1, 2):
        broker.deliver(topic, [("traceparent", f"00-{number:032x}-{number:016x}-01".encode())])
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                await asyncio.sleep(0)
                seen.append(current_trace_id())
            if len(seen) == 2:
                break

    assert seen == [1, 2]
    assert context.get_current() is before
    assert len(telemetry.matching(kind=CONSUMER)) == 2


async def test_asking_an_empty_queue_raises_as_before(telemetry: Telemetry, channel: Any) -> None:
    """Nothing is handled, so there is no hop."""
    queue = await channel.declare_queue(exclusive=True)
    with pytest.raises(QueueEmpty):
        await queue.get()

    assert telemetry.spans == []


class Handlers:
    """Handlers of several kinds, which tell what they were called with, and in which trace."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[tuple[Any, int]] = asyncio.Queue()

    async def method(self, message: Any) -> None:
        await message.ack()
        self.seen.put_nowait((type(message), current_trace_id()))

    async def with_more(self, more: str, message: Any) -> None:
        assert more == "more"
        await self.method(message)

    async def __call__(self, message: Any) -> None:
        await self.method(message)


@pytest.mark.parametrize("kind", ["method", "partial", "callable object"])
async def test_handlers_of_every_kind_run_within_the_hop(
    telemetry: Telemetry, channel: Any, broker: Rabbit, kind: str
) -> None:
    """And get what they get without the kit."""
    handlers = Handlers()
    handler = {
        "method": handlers.method,
        "partial": functools.partial(handlers.with_more, "more"),
        "callable object": handlers,
    }[kind]
    topic = broker.topic()
    await (await channel.get_queue(topic)).consume(handler)
    broker.deliver(topic, [(name, value.encode()) for name, value in SAMPLED.items()])

    assert await handlers.seen.get() == (aio_pika.IncomingMessage, TRACE_ID)


async def test_the_brokers_own_clock_counts_in_milliseconds(
    telemetry: Telemetry, channel: Any
) -> None:
    """A plugin of RabbitMQ writes the time of arrival, which is more exact than the timestamp."""
    queue = await channel.declare_queue(new_name(), exclusive=True)
    message = aio_pika.Message(
        b"", headers={"timestamp_in_ms": 1_700_000_000_123}, timestamp=1_600_000_000
    )
    await channel.default_exchange.publish(message, queue.name)
    received = await queue.get(no_ack=True)
    hop = otel_kit.hops.messaging.describe(received)

    assert hop is not None
    assert hop.sent_at == 1_700_000_000.123


# -- round trips --------------------------------------------------------------------------------


async def test_a_call_by_rpc_is_one_round_trip(telemetry: Telemetry, channel: Any) -> None:
    """A CLIENT span, a SERVER span below it, who answered is known, and the answer is no hop."""
    inside = []

    async def double(*, number: int) -> int:
        inside.append(trace.get_current_span().get_span_context().span_id)
        return 2 * number

    name = new_name()
    rpc = await aio_pika.patterns.JsonRPC.create(channel)
    await rpc.register(name, double, auto_delete=True)
    assert await rpc.call(name, {"number": 4}) == 8
    await rpc.close()
    await channel.close()

    client, server = telemetry.span(kind=SpanKind.CLIENT), telemetry.span(kind=SpanKind.SERVER)
    assert len(telemetry.spans) == 2
    assert server.parent is not None
    assert server.parent.span_id == client.context.span_id
    assert inside == [server.context.span_id]
    assert telemetry.count(names.HOP_DURATION, side="client", server="tested") == 1


async def test_what_an_rpc_handler_raises_is_its_callers_error(
    telemetry: Telemetry, channel: Any
) -> None:
    """The caller gets it as without the kit, and its span is an error."""

    async def fails() -> None:
        raise ValueError("on purpose")

    name = new_name()
    rpc = await aio_pika.patterns.RPC.create(channel)
    await rpc.register(name, fails, auto_delete=True)
    with pytest.raises(ValueError, match="on purpose"):
        await rpc.call(name)
    await rpc.close()
    await channel.close()

    assert telemetry.span(kind=SpanKind.CLIENT).status.status_code is StatusCode.ERROR
    assert len(telemetry.spans) == 2


# -- dead letters -------------------------------------------------------------------------------


class OutOfStock(Exception):
    """What a handler raises on purpose."""


async def declared(channel: Any, topic: str) -> Any:
    """The queue, as the application that declares it knows it."""
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_letters_of(topic)}
    return await channel.declare_queue(topic, durable=True, arguments=dead)


async def test_a_message_that_its_handler_refuses_is_a_dead_letter(
    telemetry: Telemetry, channel: Any, broker: Rabbit
) -> None:
    """It is counted once, by the error's class, and keeps its trace in the queue it ends in."""
    otel_kit.classify_as(ErrorClass.BUSINESS, OutOfStock)
    topic = broker.topic()
    queue = await declared(channel, topic)
    await channel.default_exchange.publish(aio_pika.Message(b""), topic)
    async with queue.iterator() as messages:
        with suppress(OutOfStock):
            async with (await anext(messages)).process():
                raise OutOfStock
    ended_in = await channel.get_queue(dead_letters_of(topic))
    dead = await ended_in.get()
    await dead.ack()
    await channel.close()

    (counted,) = telemetry.points(names.DEAD_LETTERS)
    assert dict(counted.labels) == {"destination": topic, "error_class": "business"}
    assert counted.sum == 1
    first, second = telemetry.matching(kind=CONSUMER)
    assert "OutOfStock" in str((first.attributes or {})[names.SPAN_DEAD_LETTER])
    assert second.name == f"process {dead_letters_of(topic)}"
    assert first.context.trace_id == second.context.trace_id
    assert dead.headers["x-death"][0]["queue"] == topic


@pytest.mark.parametrize("why", ["again", "elsewhere", "unknown queue"])
async def test_what_may_be_no_dead_letter_is_not_counted(
    telemetry: Telemetry, channel: Any, broker: Rabbit, why: str
) -> None:
    """Given back to the queue, refused outside of its hop, or of a queue declared elsewhere."""
    topic = broker.topic()
    queue = await (channel.get_queue(topic) if why == "unknown queue" else declared(channel, topic))
    await channel.default_exchange.publish(aio_pika.Message(b""), topic)
    message = await queue.get()
    if why == "elsewhere":
        await other_task(queue, message)
    else:
        await message.reject(requeue=why == "again")

    assert telemetry.points(names.DEAD_LETTERS) == []


async def other_task(queue: Any, message: Any) -> None:
    """Refuse the message after the loop has moved on."""
    assert await queue.get(fail=False) is None
    await message.reject()
