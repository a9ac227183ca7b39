"""Services where requests without context are expected."""

from collections.abc import Callable

import pytest
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import Hop, names
from otel_kit.testing import capture

INVALID = {"traceparent": "garbage"}


def request(headers: dict[str, str]) -> Hop:
    return otel_kit.http_request("GET", carrier=headers, scheme="http", path="/")


def message(headers: dict[str, str]) -> Hop:
    return otel_kit.incoming("kafka", "orders", carrier=headers)


@pytest.mark.parametrize(("edge", "counted"), [(True, 0), (False, 1)])
def test_a_request_without_context_starts_a_trace_at_an_entry_point(
    edge: bool, counted: int
) -> None:
    """There it has lost nothing and is not counted; its span and its edge are as anywhere."""
    with capture("web", edge=edge) as telemetry, otel_kit.serve(request({})):
        pass

    assert counted == telemetry.count(names.PROPAGATION_MESSAGES)
    attributes = telemetry.span(kind=SpanKind.SERVER).attributes or {}
    assert attributes[names.SPAN_PROPAGATION] == "missing"
    assert telemetry.count(names.HOP_DURATION, client="unknown") == 1


@pytest.mark.parametrize(
    ("verb", "hop", "result"),
    [
        (otel_kit.serve, request(INVALID), "invalid"),
        (otel_kit.process, message({}), "missing"),
        (otel_kit.process, message(INVALID), "invalid"),
    ],
    ids=["a bad request", "a bare message", "a bad message"],
)
def test_an_entry_point_counts_all_else_that_is_lost(
    verb: Callable[[Hop], otel_kit.hops.ActiveHop], hop: Hop, result: str
) -> None:
    """A broken header is nobody's first request, and a message had a sender."""
    with capture("web", edge=True) as telemetry, verb(hop):
        pass

    assert telemetry.count(names.PROPAGATION_MESSAGES, result=result, client="unknown") == 1


def test_what_arrived_is_counted_by_edge() -> None:
    """The client that said who it is, the server, and the topic."""
    headers: dict[str, str] = {}
    with capture("web"), otel_kit.send(message(headers)):
        pass
    with capture("orders") as telemetry, otel_kit.process(message(headers)):
        pass

    (point,) = telemetry.points(names.PROPAGATION_MESSAGES)
    assert point.labels == {
        "client": "web",
        "server": "orders",
        "transport": "kafka",
        "destination": "orders",
        "result": "continued",
    }
