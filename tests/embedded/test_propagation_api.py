"""/api/propagation: which hop loses its context, how often, since when, and why."""

import math
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otel_kit import names
from tests.embedded import build
from tests.embedded.running import Client, collector

BANK = "10.0.0.1:80"


def arrived(result: str, count: int, client: str = "unknown", **labels: str) -> Metric:
    """How the service `bank` counts its inbound requests."""
    known = {"client": client, "server": "bank", "transport": "http", "destination": ""}
    return build.counter(names.PROPAGATION_MESSAGES, count, result=result, **known | labels)


def hop(side: str, count: int, **labels: str) -> Metric:
    known = {"client": "billing", "server": "bank", "transport": "http", "operation": "POST"}
    return build.histogram(names.HOP_DURATION, [1.0], [count, 0], side=side, **known | labels)


def served(count: int = 1, **labels: str) -> Metric:
    """What the bank measured of callers that it does not know."""
    return hop("server", count, client="unknown", operation="POST /charges", **labels)


def sent(client: str, count: int, **labels: str) -> Any:
    """A request of telemetry in which `client` says what it sent."""
    return build.metrics([hop("client", count, client=client, **labels)], client)


def test_a_hop_that_loses_nothing_has_no_cause(client: Client) -> None:
    """All of its requests continued their callers' traces."""
    client.send(build.metrics([arrived("continued", 7, "billing")], "bank"))

    assert client.data("/api/propagation") == [
        {
            "client": "billing",
            "client_inferred": False,
            "server": "bank",
            "transport": "http",
            "destination": "",
            "continued": 7,
            "missing": 0,
            "invalid": 0,
            "stale": 0,
            "lost": 0,
            "rate": 0.0,
            "since": None,
            "last": None,
            "likely_cause": "",
        }
    ]


def test_a_caller_that_sent_more_than_arrived_as_its_own_is_named(client: Client) -> None:
    """Whoever is missing requests is who lost them; its calls that failed on the way are not."""
    points = [arrived("continued", 6, "billing"), arrived("continued", 9, "web"), served()]
    client.send(build.metrics([*points, arrived("missing", 2), arrived("stale", 1)], "bank"))
    client.send(sent("web", 9))
    client.send(sent("billing", 9))
    client.send(sent("web", 50, error_class="connection"))
    by_client = {row["client"]: row for row in client.data("/api/propagation")}

    assert set(by_client) == {"billing", "web"}
    row = by_client["billing"]
    assert (row["lost"], row["rate"], row["client_inferred"]) == (3, pytest.approx(1 / 3), True)
    assert "billing sends trace headers" in row["likely_cause"]
    assert by_client["web"]["likely_cause"] == ""


def test_a_caller_whose_calls_nobody_answered_by_name_is_named(client: Client) -> None:
    """Its calls stand under an address, and are about as many as the service lost."""
    client.send(build.metrics([arrived("missing", 10), served()], "bank"))
    client.send(sent("billing", 9, server=BANK))
    client.send(sent("web", 900, server="elsewhere:80"))
    client.send(sent("web", 10, server="elsewhere:81", operation="GET"))
    (row,) = client.data("/api/propagation")

    assert (row["client"], row["server"], row["missing"]) == ("billing", "bank", 10)


def test_callers_that_cannot_be_told_apart_are_all_mentioned(client: Client) -> None:
    """The row stays with the unknown client, and the sentence says who it may be."""
    client.send(build.metrics([arrived("missing", 10), served()], "bank"))
    client.send(sent("billing", 9, server=BANK))
    client.send(sent("web", 11, server=BANK))
    (row,) = client.data("/api/propagation")

    assert row["client"] == "unknown"
    assert "one of billing, web" in row["likely_cause"]


def test_a_caller_that_nobody_knows_is_not_instrumented(client: Client) -> None:
    """The sentence says what to do about an entry point."""
    client.send(build.metrics([arrived("missing", 3), served()], "bank"))
    (row,) = client.data("/api/propagation")

    assert row["client"] == "unknown"
    assert "OTEL_KIT_EDGE=true" in row["likely_cause"]


@pytest.mark.parametrize(
    ("result", "producer", "cause"),
    [
        ("missing", None, "the producer on orders sends no headers"),
        ("missing", "web", "web sends trace headers to orders, and something between drops"),
        ("stale", "web", "something between web and bank forwards our headers"),
        ("invalid", None, "malformed traceparent"),
    ],
)
def test_the_cause_of_lost_messages(
    client: Client, result: str, producer: str | None, cause: str
) -> None:
    """A topic's only producer with the kit is named; without one it is not instrumented."""
    kafka = {"transport": "kafka", "destination": "orders"}
    client.send(build.metrics([arrived(result, 4, **kafka)], "bank"))
    if producer:
        known = {"transport": "kafka", "server": "kafka", "operation": "send orders"}
        points = [hop("producer", 4, client=producer, **known)]
        client.send(build.metrics(points, producer))
    (row,) = client.data("/api/propagation")

    assert (row["client"], row["destination"]) == (producer or "unknown", "orders")
    assert cause in row["likely_cause"]


def test_since_when_is_kept_over_a_restart(tmp_path: Path) -> None:
    """The first loss is when its sender began to count it, the last when the count last grew."""
    begun = time.time() - 3600
    first, same = arrived("missing", 1), arrived("missing", 1)
    for metric in (first, same):
        metric.sum.data_points[0].start_time_unix_nano = int(begun * 1e9)
    with collector(tmp_path) as client:
        client.send(build.metrics([first], "bank"))
        before = client.data("/api/propagation")
    with collector(tmp_path) as client:
        client.send(build.metrics([same], "bank"))
        (row,) = after = client.data("/api/propagation")
        assert before == after
        assert row["since"] == pytest.approx(begun)
        client.send(build.metrics([arrived("missing", 2)], "bank"))
        (grown,) = client.data("/api/propagation")

    assert begun < row["last"] < grown["last"] <= time.time()
    assert grown["since"] == row["since"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -5.0])
def test_a_count_that_makes_no_sense_is_left_out(client: Client, value: float) -> None:
    """What a stranger sends in our metric's name breaks no answer."""
    nonsense = arrived("missing", 1, "stranger")
    nonsense.sum.data_points[0].as_double = value
    client.send(build.metrics([nonsense, arrived("continued", 1, "billing")], "bank"))

    assert [row["client"] for row in client.data("/api/propagation")] == ["billing"]


def test_rows_are_paged_in_order(client: Client) -> None:
    """By client, server, transport and destination, page by page."""
    points = [arrived("continued", 1, f"client-{number}") for number in range(5)]
    client.send(build.metrics(points, "bank"))
    first = client.get("/api/propagation", limit=3).json()
    rest = client.get("/api/propagation", limit=3, cursor=first["next"]).json()

    rows = [row["client"] for row in first["data"] + rest["data"]]
    assert rows == [f"client-{number}" for number in range(5)]
    assert rest["next"] is None
