"""What is particular to pika: channels upon channels, callbacks within callbacks, its generator."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

import pika
import pytest
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.select_connection import SelectConnection

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from tests.contract.harness.rabbitmq import Rabbit, dead_letters_of

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """pika instrumented, and nothing else."""
    with capture("tested", integrations=["pika"]) as found:
        yield found


@pytest.fixture
def broker() -> Rabbit:
    return Rabbit.shared()


@pytest.fixture
def topic(broker: Rabbit) -> str:
    return broker.topic()


@pytest.fixture
def channel(broker: Rabbit) -> Iterator[Any]:
    with pika.BlockingConnection(pika.URLParameters(broker.server.url)) as connection:
        yield connection.channel()


def span_id() -> int:
    return trace.get_current_span().get_span_context().span_id


def trace_id() -> int:
    return trace.get_current_span().get_span_context().trace_id


# -- sending ------------------------------------------------------------------------------------


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_publish_is_one_hop(
    telemetry: Telemetry, channel: Any, topic: str, confirmed: bool
) -> None:
    """Though a blocking channel publishes by the channel of its connection."""
    if confirmed:
        channel.confirm_delivery()
    channel.basic_publish("", topic, b"value")

    assert telemetry.count(names.HOP_DURATION, side="producer") == 1
    assert len(telemetry.spans) == 1


def test_a_confirmed_publish_lasts_until_the_confirmation(
    telemetry: Telemetry, channel: Any, topic: str
) -> None:
    """Its span is not over while the connection waits for the broker."""
    seen = []
    channel.confirm_delivery()
    wrapped = channel._impl.connection._on_data_available

    def look(data: bytes) -> None:
        seen.append(len(telemetry.spans))
        wrapped(data)

    channel._impl.connection._on_data_available = look
    channel.basic_publish("", topic, b"value")
    del channel._impl.connection._on_data_available

    assert seen
    assert set(seen) == {0}
    assert len(telemetry.spans) == 1


def test_properties_are_not_changed(telemetry: Telemetry, channel: Any, topic: str) -> None:
    """They can be used for many messages, each of which has one context."""
    properties = pika.BasicProperties(headers={"own": 1}, content_type="text/plain")
    for _ in range(2):
        channel.basic_publish("", topic, b"value", properties)

    assert properties.headers == {"own": 1}
    for span in telemetry.matching(kind=PRODUCER):
        _, received, _ = channel.basic_get(topic, auto_ack=True)
        assert received.content_type == "text/plain"
        assert received.headers["own"] == 1
        assert f"{span.context.span_id:016x}" in received.headers["traceparent"]


# -- blocking -----------------------------------------------------------------------------------


def test_a_handler_gets_what_it_gets_without_the_kit(
    telemetry: Telemetry, channel: Any, topic: str
) -> None:
    """The blocking channel, the delivery, the properties and the body; within its hop."""
    seen: list[Any] = []

    def handle(*message: Any) -> None:
        seen.append((*message, trace_id()))
        channel.stop_consuming()

    channel.basic_publish("", topic, b"value")
    channel.basic_consume(topic, handle, auto_ack=True)
    channel.start_consuming()

    ((by, method, properties, body, inside),) = seen
    assert by is channel
    assert (type(method), type(properties)) == (pika.spec.Basic.Deliver, pika.BasicProperties)
    assert (body, inside) == (b"value", telemetry.span(kind=CONSUMER).context.trace_id)
    assert context.get_current() == Context()


def test_a_handler_within_a_handler_has_its_own_hop(
    telemetry: Telemetry, channel: Any, topic: str
) -> None:
    """A handler that lets another channel do its work is interrupted, and goes on in its hop."""
    other, seen = channel.connection.channel(), []

    def outer(*_: Any) -> None:
        before = span_id()
        channel.connection.process_data_events(1)
        seen.append(span_id() == before)

    def inner(*_: Any) -> None:
        seen.append(trace_id())
        channel.stop_consuming()

    second = Rabbit.shared().topic()
    channel.basic_publish("", topic, b"value")
    channel.basic_consume(topic, outer, auto_ack=True)
    other.basic_consume(second, inner, auto_ack=True)
    Rabbit.shared().deliver(second, [(name, value.encode()) for name, value in SAMPLED.items()])
    channel.start_consuming()
    while len(seen) < 2:
        channel.connection.process_data_events(1)

    assert TRACE_ID in seen
    assert len(telemetry.matching(kind=CONSUMER)) == 2
    assert context.get_current() == Context()


def test_the_generator_hands_out_each_message_in_its_trace(
    telemetry: Telemetry, channel: Any, topic: str
) -> None:
    """Nothing in time is no hop, and whoever stops has handled the last one when he cancels."""
    for _ in range(2):
        channel.basic_publish("", topic, b"value")
    sent = [span.context.trace_id for span in telemetry.matching(kind=PRODUCER)]
    seen = []
    for method, _, _ in channel.consume(topic, inactivity_timeout=0.05):
        seen.append(trace_id())
        if method is None:
            break
        channel.basic_ack(method.delivery_tag)
    channel.basic_publish("", topic, b"value")
    next(channel.consume(topic))
    within = len(telemetry.matching(kind=CONSUMER))
    channel.cancel()

    assert seen == [*sent, 0]
    assert within == 2
    assert len(telemetry.matching(kind=CONSUMER)) == 3
    assert context.get_current() == Context()


def test_the_generator_stays_a_generator(telemetry: Telemetry, channel: Any, topic: str) -> None:
    """It can be closed, and asked again, as without the kit."""
    channel.basic_publish("", topic, b"value")
    messages: Any = channel.consume(topic)

    assert iter(messages) is messages
    assert next(messages)[2] == b"value"
    messages.close()
    assert list(messages) == []
    assert len(telemetry.matching(kind=CONSUMER)) == 1


def test_a_handler_that_refuses_its_message_counts_a_dead_letter(
    telemetry: Telemetry, channel: Any, topic: str
) -> None:
    """Of a queue that the process declared with an exchange for them."""
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_letters_of(topic)}
    channel.queue_declare(topic, durable=True, arguments=dead)
    for _ in range(2):
        channel.basic_publish("", topic, b"value")
    method, _, _ = channel.basic_get(topic)
    channel.basic_nack(method.delivery_tag, requeue=False)
    method, _, _ = channel.basic_get(topic)
    channel.basic_reject(method.delivery_tag, requeue=True)

    assert telemetry.count(names.DEAD_LETTERS, destination=topic) == 1


# -- asynchronous -------------------------------------------------------------------------------


async def asynchronous(broker: Rabbit) -> tuple[Any, Any]:
    """A connection on this event loop, and a channel of it."""
    opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection = AsyncioConnection(
        pika.URLParameters(broker.server.url),
        on_open_callback=lambda connection: connection.channel(on_open_callback=opened.set_result),
    )
    return connection, await opened


async def closed(connection: Any) -> None:
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection.add_on_close_callback(lambda *_: done.set_result(None))
    connection.close()
    await done


async def test_a_task_that_a_callback_starts_is_in_the_messages_hop(
    telemetry: Telemetry, broker: Rabbit, topic: str
) -> None:
    """`process(properties)` in the task goes on with the hop until the block is left."""
    connection, channel = await asynchronous(broker)
    handled: asyncio.Queue[int] = asyncio.Queue()
    tasks = []

    async def work(properties: Any) -> None:
        with otel_kit.process(properties):
            await asyncio.sleep(0)
            handled.put_nowait(span_id())

    def handle(_: Any, method: Any, properties: Any, body: bytes) -> None:
        tasks.append(asyncio.create_task(work(properties)))

    channel.basic_consume(topic, handle, auto_ack=True)
    await asyncio.to_thread(
        broker.deliver, topic, [(name, value.encode()) for name, value in SAMPLED.items()]
    )
    inside = await handled.get()
    await asyncio.gather(*tasks)
    await closed(connection)

    assert telemetry.span(kind=CONSUMER).context.span_id == inside
    assert telemetry.span(kind=CONSUMER).context.trace_id == TRACE_ID


async def test_a_message_that_is_got_by_a_callback_is_handled_in_it(
    telemetry: Telemetry, broker: Rabbit, topic: str
) -> None:
    """`basic_get` of an asynchronous channel calls back once."""
    await asyncio.to_thread(
        broker.deliver, topic, [(name, value.encode()) for name, value in SAMPLED.items()]
    )
    connection, channel = await asynchronous(broker)
    got: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    channel.basic_get(topic, lambda *_: got.set_result(trace_id()), auto_ack=True)

    assert await got == TRACE_ID
    await closed(connection)
    assert telemetry.span(kind=CONSUMER).name == f"process {topic}"


def test_the_queue_of_a_consumer_is_known_by_the_tag_that_pika_makes(
    telemetry: Telemetry, broker: Rabbit
) -> None:
    """A message of a named exchange goes by the queue that it was taken from."""
    exchange, queue = f"exchange-{uuid4().hex[:12]}", f"queue-{uuid4().hex[:12]}"
    seen: Future[int] = Future()

    def opened(channel: Any) -> None:
        channel.exchange_declare(exchange, "topic", auto_delete=True)
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, exchange, "orders.*")
        channel.basic_consume(queue, handle, auto_ack=True)
        channel.basic_publish(exchange, "orders.created", b"value")

    def handle(channel: Any, *_: Any) -> None:
        seen.set_result(span_id())
        channel.connection.close()

    connection = SelectConnection(
        pika.URLParameters(broker.server.url),
        on_open_callback=lambda connection: connection.channel(on_open_callback=opened),
        on_close_callback=lambda *_: connection.ioloop.stop(),
    )
    connection.ioloop.start()
    connection.ioloop.close()

    span = telemetry.span(kind=CONSUMER)
    assert (span.name, span.context.span_id) == (f"process {queue}", seen.result(0))
    way = f"{exchange}:orders.created"
    assert (span.attributes or {})[names.MESSAGING_DESTINATION] == f"{way}:{queue}"
    assert telemetry.span(kind=PRODUCER).name == f"send {way}"
