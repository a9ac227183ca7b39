"""/api/breakers: circuit breakers from their own metrics."""

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otel_kit import names
from tests.embedded import build
from tests.embedded.running import Client

STATES = ("closed", "half_open", "open")


def _breaker(state: str, since: float = 100.0, name: str = "bank") -> list[Metric]:
    """What one instance reports of a breaker that has been open for 7 s in all."""
    known = {"name": name, "server": "bank"}
    one_hot = [
        build.gauge(names.BREAKER_STATE, float(each == state), **known, state=each)
        for each in STATES
    ]
    return [
        *one_hot,
        build.gauge(names.BREAKER_CHANGED, since, unit="s", **known),
        build.counter(names.BREAKER_TIME, 7, **known, state="open"),
        build.counter(names.BREAKER_TIME, 99, **known, state="closed"),
        build.counter(names.BREAKER_TRANSITIONS, 2, **known, **{"from": "closed", "to": "open"}),
        build.counter(names.BREAKER_TRANSITIONS, 1, **known, **{"from": "open", "to": "half_open"}),
        build.counter(names.BREAKER_REJECTED, 5, **known),
    ]


def test_a_breaker_is_one_row(client: Client) -> None:
    """Its state, since when, and what its counters come to."""
    client.send(build.metrics(_breaker("half_open"), "billing"))

    assert client.data("/api/breakers") == [
        {
            "name": "bank",
            "server": "bank",
            "service": "billing",
            "state": "half_open",
            "since": 100.0,
            "time_open_s": 7.0,
            "transitions": 3,
            "rejected": 5,
        }
    ]


def test_the_worst_instance_counts(client: Client) -> None:
    """Of several instances the row has the worst state, its start, and the sums of the counters."""
    for number, state in enumerate(("closed", "open", "half_open")):
        client.send(build.metrics(_breaker(state, 100.0 + number), "billing", f"i{number}"))
    [row] = client.data("/api/breakers")

    assert (row["state"], row["since"]) == ("open", 101.0)
    assert (row["time_open_s"], row["transitions"], row["rejected"]) == (21.0, 9, 15)


def test_breakers_are_paged_in_order(client: Client) -> None:
    """Rows come by name, server and service, page by page."""
    for service in ("web", "billing"):
        for name in ("bank", "auth"):
            client.send(build.metrics(_breaker("closed", name=name), service))
    first = client.get("/api/breakers", limit=3).json()
    rest = client.get("/api/breakers", limit=3, cursor=first["next"]).json()
    rows = [(row["name"], row["service"]) for row in first["data"] + rest["data"]]

    assert rows == [("auth", "billing"), ("auth", "web"), ("bank", "billing"), ("bank", "web")]
    assert rest["next"] is None
