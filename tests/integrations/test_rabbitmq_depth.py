"""Depth of the queues that a process consumes from, by both clients, as RabbitMQ tells it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.messaging import QueueConsumerHarness
from tests.contract.harness.aio_pika import AioPikaCallback, AioPikaIterated
from tests.contract.harness.pika_consumers import PikaCallback, PikaConsume, PikaSelect
from tests.contract.harness.rabbitmq import Rabbit
from tests.gauges.waiting import until

Harness = type[Any]
every = pytest.mark.parametrize(
    "harness", [AioPikaCallback, PikaCallback, PikaSelect], ids=lambda h: h.__name__
)


def recording(harness: Harness) -> Any:
    """Record with samples every 50 ms."""
    return capture(integrations=(harness.library,), metric_interval=50.0)


def depth(telemetry: Telemetry, queue: str) -> tuple[float | None, float | None]:
    """Depth and lag in messages."""
    labels = {"transport": "rabbitmq", "destination": queue, "group": ""}
    found = [telemetry.points(each, **labels) for each in (names.QUEUE_DEPTH, names.QUEUE_LAG)]
    waiting, lag = (points[0].sum if points else None for points in found)
    return waiting, lag


async def becomes(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, holds)


@every
async def test_a_queue_that_is_consumed_from_is_watched(harness: Harness) -> None:
    """An empty one has no depth, and is known by its name, until its consumer is gone."""
    with recording(harness) as telemetry:
        async with harness() as consumer:
            await becomes(lambda: depth(telemetry, consumer.topic) == (0, 0))
        await becomes(lambda: depth(telemetry, consumer.topic) == (None, None))


@pytest.mark.parametrize("harness", [AioPikaCallback, AioPikaIterated], ids=lambda h: h.__name__)
async def test_what_waits_is_depth_and_what_is_handled_is_lag_as_well(harness: Harness) -> None:
    """Two wait behind the one that is handled, of which the client has fetched no more."""
    with recording(harness) as telemetry:
        async with harness(prefetch=1) as consumer:
            for _ in range(3):
                await consumer.deliver()
            await consumer.next()
            await becomes(lambda: depth(telemetry, consumer.topic) == (2, 3))
            await consumer.acknowledge()
            await consumer.next()
            await becomes(lambda: depth(telemetry, consumer.topic) == (1, 2))


async def test_a_blocking_connection_is_asked_when_it_does_its_work() -> None:
    """While a handler has its thread nothing is known, and nobody waits for that."""
    with recording(PikaConsume) as telemetry:
        async with PikaConsume(prefetch=1) as consumer:
            for _ in range(3):
                await consumer.deliver()
            await consumer.next()
            assert depth(telemetry, consumer.topic) == (None, None)
            await consumer.here(lambda: consumer.connection.sleep(0.2))
            await becomes(lambda: depth(telemetry, consumer.topic) == (2, 3))


@every
async def test_a_queue_that_is_deleted_ends_its_series_and_nothing_else(harness: Harness) -> None:
    """To ask about it closes a channel of the kit's, none of the application's."""
    broker: Rabbit = Rabbit.shared()
    with recording(harness) as telemetry:
        async with harness() as consumer:
            await becomes(lambda: depth(telemetry, consumer.topic) == (0, 0))
            other = harness(topic=broker.topic())
            broker.delete(consumer.topic)
            await becomes(lambda: depth(telemetry, consumer.topic) == (None, None))
            async with other:
                await other.deliver()
                await other.next()
                await other.acknowledge()


@every
async def test_a_connection_that_is_watched_closes_as_before(harness: Harness) -> None:
    """A channel of the kit's that is just open is closed with the connection."""
    with recording(harness):
        for _ in range(5):
            async with harness(topic=Rabbit.shared().topic()) as consumer:
                assert isinstance(consumer, QueueConsumerHarness)
