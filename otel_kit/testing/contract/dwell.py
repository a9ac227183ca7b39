"""The contract of dwell: how long a message waited, apart from how long its handling took."""

import asyncio
import time

import pytest

from otel_kit import names
from otel_kit.testing import Telemetry
from otel_kit.testing.contract.contexts import from_kit
from otel_kit.testing.contract.messaging import ConsumerHarness
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

pytestmark = pytest.mark.own
Harness = type[ConsumerHarness]
WAITS = [0.001, 1.0, 60.0, 3600.0, 86_400.0]


def dwell(telemetry: Telemetry) -> float:
    """The wait of the one message that was handled."""
    (point,) = telemetry.points(names.QUEUE_DURATION)
    assert point.count == 1
    return point.sum


def handling(telemetry: Telemetry) -> float:
    """How long its handler took."""
    (point,) = telemetry.points(names.HOP_DURATION, side="consumer")
    return point.sum


@pytest.mark.parametrize("waited", WAITS)
@pytest.mark.parametrize("says", ["sender", "broker"])
@only(lambda harness, says: says == "sender" or harness.dated)
async def test_dwell_is_right_from_a_millisecond_to_a_day(
    subject: Subject, harness: Harness, waited: float, says: str
) -> None:
    """By the sender's clock or the broker's, and none of it counts as handling."""
    with subject.record(harness.library) as telemetry:
        async with harness(grouped=True) as consumer:
            sent = time.time() - waited
            if says == "sender":
                await consumer.deliver(from_kit("shop", sent_ns=int(sent * 1e9)))
            else:
                await consumer.deliver(timestamp_ms=int(sent * 1000))
            await consumer.next()
        ended = time.time()

    inexact = 0.001 + (harness.dated or 0)
    assert waited - inexact <= dwell(telemetry) <= ended - sent + inexact
    assert handling(telemetry) <= ended - sent - waited


async def test_handling_is_no_part_of_dwell(subject: Subject, harness: Harness) -> None:
    """A slow handler makes its hop long, and its message's wait no longer."""
    with subject.record(harness.library) as telemetry:
        async with harness(grouped=True) as consumer:
            sent = time.time()
            await consumer.deliver(from_kit("shop", sent_ns=int(sent * 1e9)))
            await consumer.next()
            handed_out = time.time()
            await asyncio.sleep(0.05)

    assert dwell(telemetry) <= handed_out - sent + 0.001
    assert handling(telemetry) >= 0.05


@pytest.mark.parametrize("ahead", [30.0, 86_400.0])
@only(lambda harness, ahead: harness.dated is not None and harness.dated < ahead)
async def test_a_clock_that_is_ahead_makes_no_negative_dwell(
    subject: Subject, harness: Harness, ahead: float
) -> None:
    """It is zero, counted with the edge's labels, and the span says zero as well."""
    with subject.record(harness.library) as telemetry:
        async with harness(grouped=True) as consumer:
            await consumer.deliver(timestamp_ms=int((time.time() + ahead) * 1000))
            await consumer.next()

    (skewed,) = telemetry.points(names.QUEUE_CLOCK_SKEW)
    assert dwell(telemetry) == 0
    assert (skewed.count, skewed.labels["destination"]) == (1, consumer.destination)
    assert (telemetry.spans[0].attributes or {})[names.SPAN_QUEUE_DURATION] == 0
