"""What becomes of a message that cannot be handled, with a real broker and both clients."""

import asyncio
import contextlib
from threading import Event
from typing import Any

from demo.messaging import aio, sync, topics
from demo.messaging.delivery import Transient
from demo.messaging.message import MalformedMessage, Message
from demo.services.broker.cluster import Cluster


async def next_dead_letter(topic: str) -> Any:
    async with aio.consumer("reader", topics.dead_letters(topic)) as consumer:
        return await consumer.getone()


async def test_transient_errors_are_tried_five_times(broker: Cluster) -> None:
    """A message whose handling keeps failing is a dead letter after five attempts."""
    attempts = 0

    async def handler(record: Any) -> None:
        nonlocal attempts
        attempts += 1
        raise Transient("not now")

    message = Message("ChargePayment", "ORD-1")
    async with aio.producer("test") as producer, aio.consumer("g", topics.REPLIES) as consumer:
        await aio.publish(producer, topics.REPLIES, message)
        consuming = asyncio.create_task(aio.consume(consumer, producer, handler))
        dead = await next_dead_letter(topics.REPLIES)
        consuming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await consuming
    assert attempts == 5
    assert (dead.key, dead.value) == (message.key, message.encode())
    assert dict(dead.headers)["error"] == b"Transient: not now"


async def test_poison_does_not_stop_the_consumer(broker: Cluster) -> None:
    """An unreadable message is a dead letter at once, and the next one is handled."""
    handled: list[str] = []
    producer, assigned = sync.producer("test"), Event()
    consumer = sync.consumer("g", topics.BILLING_COMMANDS, on_assigned=assigned.set)

    def handler(record: Any) -> None:
        handled.append(Message.decode(record.value).order_id)

    def work() -> None:
        producer.send(topics.BILLING_COMMANDS, b"\x00", key=b"ORD-1").get(timeout=10)
        sync.publish(producer, topics.BILLING_COMMANDS, Message("ChargePayment", "ORD-1"))
        while not handled:
            for record in consumer:
                sync.deliver(record, producer, handler)
                consumer.commit()
        consumer.close()
        producer.close()

    await asyncio.to_thread(work)
    dead = await next_dead_letter(topics.BILLING_COMMANDS)
    assert (handled, assigned.is_set()) == (["ORD-1"], True)
    assert dead.value == b"\x00"
    assert dict(dead.headers)["error"].startswith(MalformedMessage.__name__.encode())
