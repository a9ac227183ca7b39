"""What waits in the demo's queues, as the running processes report it."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from demo.messaging import topics
from tests.demo.conftest import RunningDemo
from tests.gauges.waiting import until

pytestmark = pytest.mark.demo


def row(demo: RunningDemo, destination: str) -> dict[str, Any]:
    """The queue's row of /api/queues; empty before anybody has reported it."""
    found = httpx.get(demo.query + "/api/queues", timeout=20).raise_for_status().json()["data"]
    return next((each for each in found if each["destination"] == destination), {})


def shows(demo: RunningDemo, destination: str, holds: Callable[..., bool]) -> dict[str, Any]:
    """The first row that holds."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found.append(row(demo, destination))
        return None not in (found[-1].get("lag"), found[-1].get("lag_time_s")) and holds(found[-1])

    until(look)
    return found[-1]


def test_a_stalled_consumer_shows_as_lag_that_grows_by_a_second_per_second(
    demo: RunningDemo,
) -> None:
    """Inventory pauses its partitions: its queue grows in messages and in age, and then drains."""
    queue = topics.INVENTORY_COMMANDS
    demo.outcome(demo.place_order())
    shows(demo, queue, lambda row: row["lag"] == row["lag_time_s"] == 0)
    with demo.broken("consumer-stalled"):
        asked_at = time.time()
        # The first may have been under way when the consumer saw that it is to stall.
        orders = [demo.place_order() for _ in range(2)]
        first = shows(demo, queue, lambda row: row["lag_time_s"] > 0)
        later = shows(demo, queue, lambda row: row["lag_time_s"] > first["lag_time_s"] + 2)
        elapsed = time.time() - asked_at
    assert later["depth"] == later["lag"] <= 2
    assert later["lag_time_s"] <= elapsed
    assert [demo.outcome(order) for order in orders] == ["completed"] * 2
    shows(demo, queue, lambda row: row["lag"] == row["lag_time_s"] == 0)


def test_the_outbox_is_a_queue_too(demo: RunningDemo) -> None:
    """`watch_queue` reports what no client library knows."""
    demo.outcome(demo.place_order())
    until(lambda: row(demo, "outbox").get("depth") == 0)

    assert row(demo, "outbox")["transport"] == "sqlite"
