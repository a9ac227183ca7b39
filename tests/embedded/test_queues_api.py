"""/api/queues: what waits where, from the gauges of consumers and the dwell of messages."""

from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otel_kit import names
from tests.embedded import build
from tests.embedded.running import Client

QUEUE = {"transport": "kafka", "destination": "orders", "group": "billing"}


def _gauges(
    depth: float, lag: float, seconds: float, *, seconds_ago: float = 0, **queue: Any
) -> list[Metric]:
    values = {names.QUEUE_DEPTH: depth, names.QUEUE_LAG: lag, names.QUEUE_LAG_TIME: seconds}
    labels = {**QUEUE, **queue}
    return [
        build.gauge(name, value, seconds_ago=seconds_ago, **labels)
        for name, value in values.items()
    ]


def _dwell(counts: list[int], **queue: Any) -> Metric:
    edge = {"client": "web", "server": "billing", **QUEUE, **queue}
    return build.histogram(names.QUEUE_DURATION, [0.1, 0.2, 0.4], counts, **edge)


def _send(client: Client, found: list[Metric], instance: str = "one") -> None:
    client.send(build.metrics(found, "billing", instance, scope=names.SCOPE))


def test_a_queue_shows_what_waits_and_how_long_messages_waited(client: Client) -> None:
    """Gauges of now beside the dwell of all that was consumed."""
    _send(client, [*_gauges(3, 4, 7.5), _dwell([6, 2, 2, 0])])
    [row] = client.data("/api/queues")

    assert row == {
        **QUEUE,
        "depth": 3,
        "lag": 4,
        "lag_time_s": 7.5,
        "wait_p50_s": pytest.approx(0.1 * 5 / 6),
        "wait_p95_s": pytest.approx(0.2 + 0.2 * 1.5 / 2),
        "wait_p99_s": pytest.approx(0.2 + 0.2 * 1.9 / 2),
        "consumed": 10,
    }


def test_the_shares_of_a_groups_instances_add_up(client: Client) -> None:
    """Each consumer of a group reports its own partitions; the oldest message counts."""
    _send(client, [*_gauges(1, 2, 30), _dwell([1, 0, 0, 0])], "one")
    _send(client, [*_gauges(10, 20, 5), _dwell([1, 0, 0, 0], client="admin")], "two")
    [row] = client.data("/api/queues")

    assert (row["depth"], row["lag"], row["lag_time_s"], row["consumed"]) == (11, 22, 30, 2)


def test_without_a_group_all_instances_see_the_same_queue(client: Client) -> None:
    """What three replicas say of one queue is not three times as much."""
    for number, instance in enumerate(("one", "two", "three")):
        _send(client, _gauges(5 + number, 5, 1, group=""), instance)
    [row] = client.data("/api/queues")

    assert (row["depth"], row["lag"]) == (7, 5)


def test_a_queue_that_nobody_watches_has_its_dwell_alone(client: Client) -> None:
    """Unknown is null, not zero."""
    _send(client, [_dwell([1, 0, 0, 0])])
    [row] = client.data("/api/queues")

    assert (row["depth"], row["lag"], row["lag_time_s"], row["consumed"]) == (None, None, None, 1)


def test_a_queue_that_was_never_consumed_has_its_gauges_alone(client: Client) -> None:
    """Nothing waited that anybody measured."""
    _send(client, _gauges(9, 9, 60))
    [row] = client.data("/api/queues")

    assert (row["depth"], row["wait_p99_s"], row["consumed"]) == (9, None, 0)


def test_what_a_process_no_longer_reports_is_gone(client: Client) -> None:
    """A consumer that was closed leaves no lag behind: not here, not for Prometheus."""
    _send(client, [*_gauges(9, 9, 60, seconds_ago=10), _dwell([1, 0, 0, 0])])
    _send(client, [_dwell([1, 0, 0, 0])])
    [row] = client.data("/api/queues")

    assert (row["lag"], row["consumed"]) == (None, 1)
    assert "otel_kit_queue_lag" not in client.get("/metrics").text
    assert "otel_kit_hop_queue_duration" in client.get("/metrics").text


def test_the_gauges_of_other_libraries_stay(client: Client) -> None:
    """Whether they report all their gauges every time is not known."""
    client.send(build.metrics([build.gauge("g", 1, seconds_ago=10)], scope="theirs"))
    client.send(build.metrics([build.counter("c", 1)], scope="theirs"))

    assert "g{" in client.get("/metrics").text


def test_queues_are_paged_in_order(client: Client) -> None:
    """By transport, destination and group, page by page."""
    _send(client, [each for n in range(5) for each in _gauges(1, 1, 1, destination=f"q{n}")])
    first = client.get("/api/queues", limit=3).json()
    rest = client.get("/api/queues", limit=3, cursor=first["next"]).json()

    found = [row["destination"] for row in first["data"] + rest["data"]]
    assert found == ["q0", "q1", "q2", "q3", "q4"]
    assert rest["next"] is None
