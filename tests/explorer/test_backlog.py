"""Queues over the time that one looks."""

from collections.abc import Sequence

import pytest

from otel_kit.explorer.model import backlog
from otel_kit.explorer.model.backlog import Queue, Reading, Readings, pace, queues
from otel_kit.records import EdgeRecord, PropagationRecord, Quantiles, QueueRecord

S = 10**9


def _row(lag: float | None = 0, consumed: int = 10, group: str = "billing") -> QueueRecord:
    return QueueRecord("kafka", "commands", group, lag=lag, consumed=consumed)


def _readings(*waiting: float, every_s: float = 3, consumed: int | None = None) -> list[Reading]:
    """One every few seconds; `consumed` grows unless it is given."""
    return [
        Reading(round(at * every_s * S), many, at if consumed is None else consumed)
        for at, many in enumerate(waiting)
    ]


def _one(row: QueueRecord, readings: Sequence[Reading] = ()) -> Queue:
    [found] = queues([row], [], [], {backlog.key(row): readings})
    return found


def test_a_queue_that_shrinks_has_a_forecast() -> None:
    """What is left over the pace of the readings."""
    found = pace(_readings(100, 90, 80, 70, 60))

    assert found is not None
    assert found.change == pytest.approx(-10 / 3)
    assert found.drain_s == pytest.approx(18)


def test_a_queue_that_grows_or_is_read_once_has_none() -> None:
    """Nothing is forecast that the readings do not tell."""
    growing = pace(_readings(1, 5, 9))

    assert growing is not None
    assert (growing.change > 0, growing.drain_s) == (True, None)
    assert pace(_readings(5)) is None
    assert pace([]) is None


def test_the_pace_is_that_of_the_last_minutes() -> None:
    """What was before does not count any more."""
    found = pace(_readings(*[500.0] * 100, *range(500, 100, -4)))

    assert found is not None
    assert found.change == pytest.approx(-4 / 3, rel=0.05)


@pytest.mark.parametrize(
    ("row", "readings", "state"),
    [
        (_row(None), (), "consumer gone"),
        (_row(None, group=""), (), "unknown"),
        (_row(None, consumed=0), (), "unknown"),
        (_row(0), _readings(0, 0), "empty"),
        (_row(3), (), "waiting"),
        (_row(1), _readings(0, 1, 0, 2, 1), "waiting"),
        (_row(50), _readings(10, 20, 30, 40, 50), "grows"),
        (_row(10), _readings(50, 40, 30, 20, 10), "drains"),
        (_row(3), _readings(*[3.0] * 40, consumed=7), "stands still"),
        (_row(3), _readings(*[3.0] * 20, consumed=7), "waiting"),
        (_row(3), _readings(*[0.0] * 38, 3, 3, consumed=7), "waiting"),
    ],
)
def test_the_state_of_a_queue(row: QueueRecord, readings: list[Reading], state: str) -> None:
    """Gone is who reports no more; still is a queue of which nothing was taken for 90 seconds."""
    assert _one(row, readings).state == state


def test_readings_are_kept_for_ten_minutes() -> None:
    """One for each moment; a queue that is not read any more is forgotten."""
    kept = Readings()
    for at in range(0, 1200, 3):
        kept.add([_row(at)], at * S)
        kept.add([_row(at)], at * S)
    kept.add([_row(5, group="new"), _row(None)], 1200 * S)

    [old] = [found for key, found in kept.of.items() if key.group == "billing"]
    assert (old[0].time_ns, old[-1].time_ns, len(old)) == (600 * S, 1197 * S, 200)
    kept.add([], 9_000 * S)
    assert kept.of == {}


def test_handling_stands_next_to_waiting() -> None:
    """Of the services that take messages of the queue; the slowest of their edges."""
    edges = [
        EdgeRecord("orders", "billing", "kafka", "consumer", 9, duration=Quantiles(0.1, 0.2, 0.3)),
        EdgeRecord("web", "billing", "kafka", "consumer", 9, duration=Quantiles(0.1, 0.9, 1.0)),
        EdgeRecord("web", "billing", "http", "server", 9, duration=Quantiles(5, 5, 5)),
        EdgeRecord("orders", "audit", "kafka", "consumer", 9, duration=Quantiles(7, 7, 7)),
    ]
    hops = [
        PropagationRecord("orders", server, "kafka", "commands", {"continued": 1})
        for server in ("billing", "audit")
    ]
    [named] = queues([_row()], edges, hops, {})
    [other] = queues([_row(group="workers")], edges, hops, {})

    assert (named.consumers, named.handling.p95_s) == (("billing",), 0.9)
    assert (other.consumers, other.handling.p95_s) == (("audit", "billing"), 7)


def test_the_queue_that_hurts_is_first() -> None:
    """Nobody there, then the oldest message, then the most."""
    rows = [
        QueueRecord("kafka", "idle", "g", lag=0, lag_time_s=0),
        QueueRecord("kafka", "many", "g", lag=50, lag_time_s=1),
        QueueRecord("kafka", "old", "g", lag=2, lag_time_s=90),
        QueueRecord("kafka", "gone", "g", consumed=3),
    ]

    assert [queue.row.destination for queue in queues(rows, [], [], {})] == [
        "gone", "old", "many", "idle"
    ]  # fmt: skip
