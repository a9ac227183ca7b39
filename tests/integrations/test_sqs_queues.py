"""Depth and lag of SQS queues: what waits, what is in hand, what may not be asked for."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from otel_kit import names
from otel_kit.integrations import _sqs_queues
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.messaging import QueueConsumerHarness
from tests.contract.harness.sqs import Sqs
from tests.contract.harness.sqs_consumers import (
    AiobotocoreConsumer,
    Boto3Consumer,
    BotocoreConsumer,
)
from tests.gauges.waiting import until

Harness = type[QueueConsumerHarness]
CLIENTS = [BotocoreConsumer, AiobotocoreConsumer]


@pytest.fixture
def telemetry(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    """With samples every 50 ms."""
    monkeypatch.setattr(_sqs_queues.Client, "least", 0.0)
    with capture(integrations=[harness.library], metric_interval=50.0) as recorded:
        yield recorded


def gauges(telemetry: Telemetry, queue: str) -> list[float | None]:
    """Depth and lag in messages."""
    labels = {"transport": "aws_sqs", "destination": queue, "group": ""}
    found = [telemetry.points(each, **labels) for each in (names.QUEUE_DEPTH, names.QUEUE_LAG)]
    return [points[0].sum if points else None for points in found]


async def becomes(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, holds)


@pytest.mark.parametrize("harness", [*CLIENTS, Boto3Consumer], ids=lambda h: h.__name__)
async def test_what_waits_is_depth_and_what_is_in_hand_is_lag(
    harness: Harness, telemetry: Telemetry
) -> None:
    """Until the client is closed; to ask makes no hops."""
    async with harness() as consumer:
        for _ in range(3):
            await consumer.deliver()
        await consumer.next()
        await becomes(lambda: gauges(telemetry, consumer.topic) == [2, 3])
        await consumer.acknowledge()
        await consumer.next()
        await becomes(lambda: gauges(telemetry, consumer.topic) == [1, 2])
    await becomes(lambda: gauges(telemetry, consumer.topic) == [None, None])

    assert {span.name for span in telemetry.spans} == {consumer.operation}


@pytest.mark.parametrize("harness", CLIENTS, ids=lambda h: h.__name__)
async def test_a_queue_that_is_gone_is_reported_once(
    harness: Harness, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """Others go on."""
    async with harness() as consumer:
        await consumer.nothing()
        await becomes(lambda: gauges(telemetry, consumer.topic) == [0, 0])
        gone, consumer.topic = consumer.topic, consumer.broker.topic()
        await consumer.nothing()
        assert isinstance(consumer.broker, Sqs)
        consumer.broker.ask("delete_queue", QueueUrl=consumer.broker.queue(gone))
        await becomes(lambda: gauges(telemetry, gone) == [None, None])
        await becomes(lambda: gauges(telemetry, consumer.topic) == [0, 0])

    said = [each for each in caplog.records if gone in each.getMessage()]
    assert [each.levelno for each in said] == [logging.WARNING]
