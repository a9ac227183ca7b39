"""What is particular to aio-pika's sends: exchanges, temporary queues, its messages."""

import asyncio
from copy import copy
from typing import Any

import aio_pika
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED
from tests.contract.harness.rabbitmq import Rabbit
from tests.integrations.aio_pika.spans import new_name, said

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


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
