"""Depth and lag of JetStream's consumers, from a real server: waiting, in hand, shared, gone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import nats
import pytest

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.gauges.waiting import until
from tests.servers.nats import Nats


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """With samples every 50 ms."""
    with capture("tested", integrations=["nats-py"], metric_interval=50.0) as recorded:
        yield recorded


@pytest.fixture
async def client(telemetry: Telemetry) -> AsyncIterator[Any]:
    found = await nats.connect(Nats.shared().url)
    yield found
    await found.close()


@pytest.fixture
async def stream(client: Any) -> str:
    """A new stream that three messages are in."""
    name = f"watched-{client.client_id}"
    await client.jetstream().add_stream(name=name, subjects=[name])
    for _ in range(3):
        await client.jetstream().publish(name, b"value")
    return name


def queue(telemetry: Telemetry, stream: str) -> tuple[float | None, float | None]:
    """Depth and lag."""

    def value(metric: str) -> float | None:
        points = telemetry.points(metric, transport="nats", destination=f"{stream}/workers")
        assert len(points) <= 1
        return points[0].sum if points else None

    return value(names.QUEUE_DEPTH), value(names.QUEUE_LAG)


async def eventually(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, holds)


async def test_what_waits_and_what_is_in_hand(
    telemetry: Telemetry, client: Any, stream: str
) -> None:
    """Depth is what nobody was given yet, lag has what is not acknowledged as well."""
    subscription = await client.jetstream().pull_subscribe(stream, "workers")
    await eventually(lambda: queue(telemetry, stream) == (3, 3))
    [message] = await subscription.fetch()
    await eventually(lambda: queue(telemetry, stream) == (2, 3))
    await message.ack()
    await eventually(lambda: queue(telemetry, stream) == (2, 2))


async def test_members_of_a_group_see_one_queue(
    telemetry: Telemetry, client: Any, stream: str
) -> None:
    """Several subscriptions to a consumer do not add up; the last that leaves ends the series."""
    context = client.jetstream()
    members = [await context.pull_subscribe(stream, "workers") for _ in range(3)]
    await eventually(lambda: queue(telemetry, stream) == (3, 3))
    for each in members[:-1]:
        await each.unsubscribe()
    [message] = await members[-1].fetch()
    await message.ack()
    await eventually(lambda: queue(telemetry, stream) == (2, 2))
    await members[-1].unsubscribe()
    await eventually(lambda: queue(telemetry, stream) == (None, None))


async def test_a_push_consumer_is_watched(telemetry: Telemetry, client: Any, stream: str) -> None:
    """What its handler has not acknowledged is its lag, until the client is closed."""

    async def handle(message: Any) -> None:
        pass

    await client.jetstream().subscribe(stream, durable="workers", cb=handle, manual_ack=True)
    await eventually(lambda: queue(telemetry, stream) == (0, 3))
    await client.close()
    await eventually(lambda: queue(telemetry, stream) == (None, None))


async def test_watching_makes_no_hops(telemetry: Telemetry, client: Any, stream: str) -> None:
    """What the kit asks for itself is not part of what is watched."""
    sent = len(telemetry.spans)
    await client.jetstream().pull_subscribe(stream, "workers")
    await eventually(lambda: queue(telemetry, stream) == (3, 3))

    assert len(telemetry.spans) == sent
