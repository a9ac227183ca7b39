"""What is particular to aio-pika: exchanges, temporary queues, its messages, `process()`, RPC."""

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from copy import copy
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.exceptions import QueueEmpty
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from tests.contract.harness.rabbitmq import Rabbit, dead_letters_of, shared

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """aio-pika instrumented, and nothing else."""
    with capture("tested", integrations=["aio-pika"]) as found:
        yield found


@pytest.fixture
def broker() -> Rabbit:
    return shared()


@pytest.fixture
async def channel(broker: Rabbit) -> AsyncIterator[Any]:
    async with await aio_pika.connect_robust(broker.server.url) as connection:
        yield await connection.channel()


def current_trace_id() -> int:
    return trace.get_current_span().get_span_context().trace_id


def said(telemetry: Telemetry, kind: SpanKind) -> dict[str, Any]:
    return dict(telemetry.span(kind=kind).attributes or {})


def new_name() -> str:
    return f"orders-{uuid4().hex[:12]}"


# -- where a message goes -----------------------------------------------------------------------


async def test_the_whole_way_of_a_message_is_told(telemetry: Telemetry, channel: Any) -> None:
    """Exchange, key and queue are the destination; the consumer's span and labels have the last."""
    exchange = await channel.declare_exchange(new_name(), "topic", auto_delete=True)
    queue = await channel.declare_queue(new_name(), exclusive=True)
    await queue.bind(exchange, "orders.*")
    await exchange.publish(aio_pika.Message(b"", correlation_id="17"), "orders.created")
    await (await queue.get()).ack()
    await channel.close()

    sent, received = said(telemetry, PRODUCER), said(telemetry, CONSUMER)
    way = f"{exchange.name}:orders.created"
    assert sent[names.MESSAGING_DESTINATION] == way
    assert received[names.MESSAGING_DESTINATION] == f"{way}:{queue.name}"
    assert sent[names.MESSAGING_ROUTING_KEY] == "orders.created"
    assert received[names.MESSAGING_CONVERSATION_ID] == "17"
    assert telemetry.span(kind=CONSUMER).name == f"process {queue.name}"
    assert telemetry.count(names.QUEUE_DURATION, destination=queue.name) == 1


async def test_a_temporary_queues_name_is_no_label(telemetry: Telemetry, channel: Any) -> None:
    """A name that the broker or the client made up is told by the span alone."""
    queue = await channel.declare_queue(exclusive=True)
    await channel.default_exchange.publish(aio_pika.Message(b""), queue.name)
    await (await queue.get()).ack()
    await channel.close()

    for span in telemetry.spans:
        attributes = dict(span.attributes or {})
        assert span.name.endswith(" (temporary)")
        assert attributes[names.MESSAGING_DESTINATION] == "(temporary)"
        assert attributes[names.MESSAGING_TEMPORARY] is True
        assert attributes[names.MESSAGING_ROUTING_KEY] == queue.name


async def test_ids_in_routing_keys_take_no_more_than_their_share(
    telemetry: Telemetry, channel: Any
) -> None:
    """Of one exchange a hundred keys are told apart, the rest is one."""
    exchange = await channel.declare_exchange(new_name(), "fanout", auto_delete=True)
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(exchange)
    for number in range(103):
        await exchange.publish(aio_pika.Message(b""), f"orders.{number}")

    found = [span.name for span in telemetry.matching(kind=PRODUCER)]
    assert len(set(found)) == 101
    assert found.count(f"send {exchange.name}:_OTHER") == 3


# -- what is sent -------------------------------------------------------------------------------


class Order(aio_pika.Message):
    """An application's own class of messages."""

    @property
    def properties(self) -> Any:
        found = super().properties
        found.app_id = "shop"
        return found


def all_properties() -> dict[str, Any]:
    return {
        "headers": {
            "number": 7,
            "list": [1, "two"],
            "table": {"a": None},
            "raw": bytearray(b"\xff"),
        },
        "content_type": "text/plain",
        "priority": 3,
        "expiration": 60,
        "message_id": "17",
        "timestamp": 1_700_000_000,
        "type": "order",
        "delivery_mode": aio_pika.DeliveryMode.PERSISTENT,
    }


async def sent_through(channel: Any, message: Any) -> dict[str, Any]:
    """What arrives of a message, but for what differs from delivery to delivery."""
    queue = await channel.declare_queue(exclusive=True)
    await channel.default_exchange.publish(message, queue.name)
    received = await queue.get()
    await received.ack()
    its_own = ("consumer_tag", "delivery_tag", "routing_key")
    return {**{k: v for k, v in received.info().items() if k not in its_own}, "body": received.body}


@pytest.mark.parametrize("kind", [aio_pika.Message, Order])
async def test_a_message_arrives_as_without_the_kit(broker: Rabbit, kind: Any) -> None:
    """Body and properties are what they were, but for the headers that the context adds."""
    async with await aio_pika.connect(broker.server.url) as connection:
        channel = await connection.channel()
        plain = await sent_through(channel, kind(b"\x00\xff", **all_properties()))
        with capture(integrations=["aio-pika"]):
            message = kind(b"\x00\xff", **all_properties())
            instrumented = await sent_through(channel, message)

    assert message.headers == all_properties()["headers"]
    added = {"traceparent", "tracestate"}
    assert instrumented["headers"].keys() - plain["headers"].keys() == added
    for name in added:
        del instrumented["headers"][name]
    assert instrumented == plain


async def test_a_received_message_can_be_sent_on(telemetry: Telemetry, channel: Any) -> None:
    """It goes out with its new sender's context, is unchanged itself, and links to its first."""
    queue = await channel.declare_queue(exclusive=True)
    await channel.default_exchange.publish(aio_pika.Message(b"", headers=dict(SAMPLED)), queue.name)
    received = await queue.get()
    before = copy(received.headers)
    await channel.default_exchange.publish(received, queue.name)
    await received.ack()
    again = await queue.get()
    await again.ack()

    assert received.headers == before
    first, second = telemetry.matching(kind=PRODUCER)
    assert f"{second.context.span_id:016x}" in again.headers["traceparent"]
    assert [link.context.span_id for link in second.links] == [first.context.span_id]


async def test_an_unroutable_message_is_returned(telemetry: Telemetry, channel: Any) -> None:
    """A channel that raises nothing returns what it returns without the kit."""
    returned = await channel.default_exchange.publish(aio_pika.Message(b"value"), new_name())

    assert returned.body == b"value"
    assert telemetry.span(kind=PRODUCER).status.status_code is StatusCode.UNSET


async def test_a_closed_channel_is_a_connection_error(telemetry: Telemetry, channel: Any) -> None:
    """A send that nobody can confirm any more is classed by its cause."""
    await channel.close()
    with pytest.raises(aio_pika.exceptions.ChannelInvalidStateError):
        await channel.default_exchange.publish(aio_pika.Message(b""), "orders")

    assert said(telemetry, PRODUCER)[names.SPAN_ERROR_CLASS] == "connection"


async def test_a_cancelled_send_is_cancelled(telemetry: Telemetry, channel: Any) -> None:
    """Whoever waits no longer for the confirmation leaves an edge of class cancelled."""
    sending = asyncio.create_task(
        channel.default_exchange.publish(aio_pika.Message(b""), new_name())
    )
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert telemetry.count(names.HOP_DURATION, side="producer", error_class="cancelled") == 1


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
    dead = await (await channel.get_queue(dead_letters_of(topic))).get()
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
