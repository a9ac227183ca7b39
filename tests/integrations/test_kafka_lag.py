"""Lag of Kafka consumers, by both clients, from a real protocol: idle, stalled, paused, gone."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from otel_kit import names
from otel_kit.gauges.readings import readings
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.messaging import ConsumerHarness
from tests.contract.harness.aiokafka import AiokafkaIterated
from tests.contract.harness.kafka_python import KafkaPythonConsumer
from tests.gauges.waiting import until

pytestmark = pytest.mark.parametrize(
    "harness", [KafkaPythonConsumer, AiokafkaIterated], ids=lambda each: each.library
)
HOUR = 3600.0
Harness = type[ConsumerHarness]


class Lag:
    """The three gauges of one consumer's topic and group."""

    def __init__(self, telemetry: Telemetry, consumer: ConsumerHarness) -> None:
        self._telemetry = telemetry
        self._labels = {
            "transport": "kafka",
            "destination": consumer.topic,
            "group": consumer.group or "",
        }

    def __call__(self) -> tuple[float | None, float | None]:
        """Depth and lag in messages."""
        return self._value(names.QUEUE_DEPTH), self._value(names.QUEUE_LAG)

    @property
    def seconds(self) -> float | None:
        return self._value(names.QUEUE_LAG_TIME)

    def _value(self, metric: str) -> float | None:
        points = self._telemetry.points(metric, **self._labels)
        assert len(points) <= 1
        return points[0].sum if points else None

    async def becomes(self, depth: float | None, lag: float | None) -> None:
        await _until(lambda: self() == (depth, lag))


async def _until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, holds)


def recording(consumer: type[ConsumerHarness]) -> Any:
    """Record with samples every 50 ms."""
    return capture(integrations=(consumer.library,), metric_interval=50.0)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Turns the clock that metrics are collected by forward."""

    def turn(seconds: float) -> None:
        monkeypatch.setattr(readings, "_clock", lambda: time.time() + seconds)

    return turn


async def drained(consumer: ConsumerHarness, messages: int) -> None:
    """Deliver that many, handle them all, and let the consumer wait for more."""
    for _ in range(messages):
        await consumer.deliver()
    for _ in range(messages):
        await consumer.next()
    await consumer.nothing()


@pytest.mark.parametrize("grouped", [True, False], ids=["subscribed", "assigned"])
async def test_an_idle_consumer_has_no_lag(
    harness: Harness, grouped: bool, later: Callable[[float], None]
) -> None:
    """Whatever the time: nothing waits for a consumer that has handled everything."""
    with recording(harness) as telemetry:
        async with harness(grouped=grouped) as consumer:
            lag = Lag(telemetry, consumer)
            await drained(consumer, 2)
            await lag.becomes(0, 0)
            later(HOUR)

            assert lag.seconds == 0


async def test_a_stuck_handler_makes_lag_that_grows_with_the_clock(
    harness: Harness, later: Callable[[float], None]
) -> None:
    """The message being handled counts, from its own time, second by second."""
    with recording(harness) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            await consumer.deliver(timestamp_ms=int(time.time() * 1000) - 60_000)
            await consumer.deliver()
            await consumer.next()
            await lag.becomes(1, 2)
            before = lag.seconds
            later(HOUR)
            after = lag.seconds

    assert before is not None
    assert after is not None
    assert 60 <= before < 120
    assert HOUR <= after - before < HOUR + 60


async def test_messages_that_arrive_while_the_handler_is_stuck_are_counted(
    harness: Harness,
) -> None:
    """The broker is asked where the log ends, as the consumer does not fetch."""
    with recording(harness) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            await consumer.deliver()
            await consumer.next()
            for _ in range(5):
                await consumer.deliver()
            await lag.becomes(5, 6)


async def test_a_paused_consumer_has_the_lag_of_what_arrives(
    harness: Harness, later: Callable[[float], None]
) -> None:
    """It fetches nothing, so the broker is asked; its oldest message grows old with the clock."""
    with recording(harness) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            await drained(consumer, 1)
            await consumer.pause()
            await lag.becomes(0, 0)
            for _ in range(3):
                await consumer.deliver()
            await consumer.nothing()
            await lag.becomes(3, 3)
            before = lag.seconds
            later(HOUR)
            after = lag.seconds
            assert before is not None
            assert after is not None
            assert HOUR <= after - before < HOUR + 60
            later(0)

            await consumer.resume()
            for _ in range(3):
                await consumer.next()
            await consumer.nothing()
            await lag.becomes(0, 0)


async def test_a_batch_is_lag_until_the_next_is_asked_for(harness: Harness) -> None:
    """Whoever polls works through what it got, and says so by polling again."""
    with recording(harness) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            for _ in range(3):
                await consumer.deliver()
            await consumer.batch(3)
            depth, waiting = lag()
            await consumer.nothing()
            await lag.becomes(0, 0)

    assert depth == 0
    assert waiting is not None
    assert waiting >= 1


async def test_what_is_committed_is_handled(harness: Harness) -> None:
    """A handler that commits and then sleeps has handled its message."""
    with recording(harness) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            await consumer.deliver()
            await consumer.next()
            await lag.becomes(0, 1)
            await consumer.commit()
            await lag.becomes(0, 0)


async def test_a_closed_consumer_has_no_series(harness: Harness) -> None:
    """What nobody knows any more is not reported."""
    with recording(harness) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            await drained(consumer, 1)
            await lag.becomes(0, 0)

        assert lag() == (None, None)
        assert lag.seconds is None


async def test_partitions_that_are_taken_away_have_no_series(harness: Harness) -> None:
    """The lag of a partition is that of its present consumer."""
    with recording(harness) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            await drained(consumer, 1)
            await lag.becomes(0, 0)
            await consumer.unsubscribe()

            assert lag() == (None, None)


async def test_a_consumer_that_was_made_before_the_kit_is_watched_too(harness: Harness) -> None:
    """Instrumenting late loses nothing but what was before."""
    async with harness(grouped=True) as consumer:
        await drained(consumer, 1)
        with recording(harness) as telemetry:
            lag = Lag(telemetry, consumer)
            await consumer.deliver()
            await consumer.next()
            await lag.becomes(0, 1)


async def test_a_consumer_that_another_instrumentation_traces_is_watched_too(
    harness: Harness,
) -> None:
    """Its hops are not ours, so a message counts as handled once it is handed out."""
    options: Any = {"integrations": (harness.library,), "metric_interval": 50.0}
    with capture(prefer="contrib", **options) as telemetry:
        async with harness(grouped=True) as consumer:
            lag = Lag(telemetry, consumer)
            await consumer.deliver()
            await consumer.deliver()
            await consumer.next()
            await lag.becomes(1, 1)
