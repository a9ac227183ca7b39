"""/api/edges: pairs of services from the hop metrics."""

from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otel_kit import names
from tests.embedded import build
from tests.embedded.running import Client

BOUNDS = [0.1, 0.2, 0.4]


def _hop(counts: list[int], side: str, error: str = "", **attributes: Any) -> Metric:
    known = {"client": "web", "server": "orders", "transport": "http", "side": side, **attributes}
    known |= {"error_class": error} if error else {}
    return build.histogram(names.HOP_DURATION, BOUNDS, counts, **known)


def test_an_edge_counts_what_the_receiving_side_saw(client: Client) -> None:
    """Durations and errors are the server's, over all its instances and operations."""
    client.send(build.metrics([_hop([1, 1, 1, 9], "client")], "web"))
    for instance in ("one", "two"):
        points = [
            _hop([6, 0, 0, 0], "server", operation="a"),
            _hop([0, 2, 2, 0], "server", error="timeout", operation="b"),
        ]
        client.send(build.metrics(points, "orders", instance))
    [edge] = client.data("/api/edges")

    assert edge == {
        "client": "web",
        "server": "orders",
        "transport": "http",
        "side": "server",
        "calls": 20,
        "errors": {"timeout": 8},
        "p50_s": pytest.approx(0.1 * 10 / 12),
        "p95_s": pytest.approx(0.2 + 0.2 * 3 / 4),
        "p99_s": pytest.approx(0.2 + 0.2 * 3.8 / 4),
        "queue_p50_s": None,
        "queue_p95_s": None,
        "queue_p99_s": None,
    }


def test_the_sending_side_stands_in_where_the_receiver_is_silent(client: Client) -> None:
    """An edge to a service without the kit is measured by its client."""
    client.send(build.metrics([_hop([1, 0, 0, 1], "client", server="bank")], "web"))
    [edge] = client.data("/api/edges")

    assert (edge["server"], edge["side"], edge["calls"]) == ("bank", "client", 2)
    assert edge["p99_s"] == 0.4


def test_waiting_in_a_queue_stands_beside_handling(client: Client) -> None:
    """An asynchronous edge has the quantiles of its dwell as well."""
    edge_of = {"client": "orders", "server": "inventory", "transport": "kafka"}
    dwell = build.histogram(names.QUEUE_DURATION, [1.0, 60.0], [0, 10, 0], **edge_of)
    client.send(build.metrics([dwell, _hop([4, 0, 0, 0], "consumer", **edge_of)], "inventory"))
    client.send(build.metrics([_hop([5, 0, 0, 0], "producer", **edge_of)], "orders"))
    [edge] = client.data("/api/edges")

    assert (edge["side"], edge["calls"]) == ("consumer", 5)
    assert edge["queue_p50_s"] == pytest.approx(1 + 59 / 2)


def test_instances_with_different_buckets_are_added_at_their_common_bounds(client: Client) -> None:
    """Two versions of a service with other buckets still give one edge with exact counts."""
    known = {"client": "a", "server": "b", "transport": "http", "side": "server"}
    for instance, bounds in (("one", [1.0, 2.0, 4.0]), ("two", [1.0, 4.0])):
        metric = build.histogram(names.HOP_DURATION, bounds, [1] * (len(bounds) + 1), **known)
        client.send(build.metrics([metric], "b", instance))
    [edge] = client.data("/api/edges")

    assert edge["calls"] == 7
    assert edge["p50_s"] == pytest.approx(1 + 3 * 1.5 / 3)


def test_edges_are_paged_in_order(client: Client) -> None:
    """Edges come by client, server and transport, page by page."""
    points = [_hop([1, 0, 0, 0], "server", server=f"s{number}") for number in range(5)]
    client.send(build.metrics(points))
    first = client.get("/api/edges", limit=3).json()
    rest = client.get("/api/edges", limit=3, cursor=first["next"]).json()

    assert [e["server"] for e in first["data"] + rest["data"]] == ["s0", "s1", "s2", "s3", "s4"]
    assert rest["next"] is None


def _calls(number: int, side: str, error: str = "") -> Metric:
    return _hop([number, 0, 0, 0], side, error)


@pytest.mark.parametrize(
    ("sent", "received", "calls", "errors"),
    [
        ({"": 10, "connection": 10}, {"": 10}, 20, {"connection": 10}),
        ({"dns": 2, "tls": 3, "": 1}, {"": 1}, 6, {"dns": 2, "tls": 3}),
        ({"connection": 5}, {"": 9, "server_error": 1}, 10, {"server_error": 1, "connection": 5}),
        ({"": 10, "timeout": 5}, {"": 10}, 15, {"timeout": 5}),
        ({"": 10, "timeout": 5}, {"": 15}, 15, {"timeout": 5}),
        ({"": 10, "timeout": 5}, {"": 10, "cancelled": 5}, 15, {"cancelled": 5}),
        ({"": 10, "timeout": 5}, {"": 10, "timeout": 5}, 15, {"timeout": 5}),
        ({"": 10, "timeout": 5}, {"": 10, "timeout": 2}, 15, {"timeout": 5}),
        ({"": 10, "unavailable": 8}, {"": 10, "unavailable": 3}, 18, {"unavailable": 8}),
        ({"unknown": 5, "timeout": 4}, {"": 4, "unknown": 5}, 9, {"unknown": 5, "timeout": 4}),
        ({"": 10, "client_error": 5}, {"": 15}, 15, {}),
        ({"connection": 9}, {"server_error": 9}, 18, {"server_error": 9, "connection": 9}),
    ],
)  # fmt: skip
def test_failures_that_only_the_client_saw_are_added_once(
    client: Client, sent: dict[str, int], received: dict[str, int], calls: int, errors: Any
) -> None:
    """What never reached the server counts beside what the server saw, and no call counts twice."""
    for side, counts in (("client", sent), ("server", received)):
        points = [_calls(number, side, error) for error, number in counts.items()]
        client.send(build.metrics(points, side))
    [edge] = client.data("/api/edges")

    assert (edge["side"], edge["calls"], edge["errors"]) == ("server", calls, errors)


def test_messages_that_could_not_be_sent_stand_beside_those_handled(client: Client) -> None:
    """A producer's failures are added to a consumer's row as a client's are to a server's."""
    sent = [_calls(4, "producer"), _calls(2, "producer", "connection")]
    client.send(build.metrics(sent, "web"))
    client.send(build.metrics([_calls(3, "consumer"), _calls(1, "consumer", "business")], "orders"))
    [edge] = client.data("/api/edges")

    assert (edge["side"], edge["calls"]) == ("consumer", 6)
    assert edge["errors"] == {"business": 1, "connection": 2}
