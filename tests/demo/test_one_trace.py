"""One order is one trace, and its edges are counted whatever is sampled."""

from collections import Counter
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo.launcher.traces import Span
from tests.demo.conftest import RunningDemo, eventually

pytestmark = [pytest.mark.demo, pytest.mark.timeout(120)]

SERVICES = {"web", "orders", "inventory", "billing", "bank", "notifications"}
ONCE_AN_ORDER = {
    ("web", "orders"),
    ("orders", "inventory"),
    ("inventory", "orders"),
    ("orders", "billing"),
    ("billing", "bank"),
    ("billing", "orders"),
    ("orders", "notifications"),
    ("notifications", "web"),
}
DROPPED = ("bank", "missing")


def traces(demo: RunningDemo, service: str, tags: str = "{}") -> list[dict[str, Any]]:
    asked = {"service": service, "tags": tags, "limit": "100"}
    reply = httpx.get(f"{demo.query}/api/traces", params=asked).raise_for_status()
    return list(reply.json()["data"])


def spans_of(trace: dict[str, Any]) -> list[Span]:
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return [Span.from_jaeger(span, services) for span in trace["spans"]]


def orphans(spans: list[Span]) -> list[Span]:
    known = {span.id for span in spans}
    return [span for span in spans if span.parent_id and span.parent_id not in known]


def services_of(demo: RunningDemo, order: str) -> set[str]:
    found = traces(demo, "web", f'{{"saga.id": "{order}"}}')
    return {span.service for trace in found for span in spans_of(trace)}


@pytest.fixture(scope="module")
def order(demo: RunningDemo) -> str:
    """An order that has ended."""
    order_id = demo.place_order()
    assert demo.outcome(order_id) == "completed"
    return order_id


@pytest.fixture(scope="module")
def found(demo: RunningDemo, order: str) -> list[list[Span]]:
    """The traces of the order, when all its services have reported."""

    def read() -> list[list[Span]]:
        return [spans_of(t) for t in traces(demo, "web", f'{{"saga.id": "{order}"}}')]

    def complete(found: list[list[Span]]) -> bool:
        spans = [span for trace in found for span in trace]
        return {span.service for span in spans} >= SERVICES and not orphans(spans)

    return eventually(read, complete)


def test_an_order_is_one_trace(found: list[list[Span]]) -> None:
    """All services stand in one trace, found by the order's id, and no span lacks its parent."""
    assert len(found) == 1
    assert {span.service for span in found[0]} == SERVICES
    assert orphans(found[0]) == []
    assert [span.kind for span in found[0] if not span.parent_id] == ["server"]


def test_what_a_consumer_calls_is_within_its_span(found: list[list[Span]]) -> None:
    """Every call and send of a consuming service has the service's process span above it."""
    (spans,) = found
    by_id = {span.id: span for span in spans}

    def handled_by(span: Span) -> str:
        while span.kind != "consumer":
            span = by_id[span.parent_id]
        return span.service

    outbound = [span for span in spans if span.kind in ("client", "producer")]
    downstream = [s for s in outbound if s.service in ("inventory", "billing", "notifications")]
    assert len(downstream) == 4
    assert [handled_by(span) for span in downstream] == [span.service for span in downstream]


def test_analytics_links_to_the_order(demo: RunningDemo, found: list[list[Span]]) -> None:
    """The batch consumer's span links to the traces of the messages it handled."""
    order_trace = found[0][0].trace_id

    def read() -> list[dict[str, Any]]:
        spans = [span for trace in traces(demo, "analytics") for span in trace["spans"]]
        return [ref for span in spans for ref in span["references"]]

    def linked(references: list[dict[str, Any]]) -> bool:
        return any(ref["traceID"] == order_trace for ref in references)

    assert linked(eventually(read, linked))


def test_a_dropped_context_is_visible(demo: RunningDemo) -> None:
    """With trace headers dropped before the bank its span is elsewhere, and that is counted."""
    with demo.broken("context-dropped"):
        order = demo.place_order()
        demo.outcome(order)

    def missing() -> float:
        found = samples(demo, "otel_kit_propagation_messages_total")
        return sum(v for labels, v in found if (labels["server"], labels["result"]) == DROPPED)

    assert eventually(missing, bool) >= 1
    expected = SERVICES - {"bank"}
    assert eventually(lambda: services_of(demo, order), lambda s: s >= expected) == expected


def edges(demo: RunningDemo, side: set[str]) -> Counter[tuple[str, str]]:
    """How often each (client, server) was measured, by those sides."""
    counts: Counter[tuple[str, str]] = Counter()
    for labels, value in samples(demo, "otel_kit_hop_duration_seconds_count"):
        if labels["side"] in side:
            counts[labels["client"], labels["server"]] += int(value)
    return counts


def samples(demo: RunningDemo, name: str) -> list[tuple[dict[str, str], float]]:
    """The labels and value of each sample of this name under /metrics."""
    text = httpx.get(f"{demo.query}/metrics").raise_for_status().text
    families = text_string_to_metric_families(text)
    return [(s.labels, s.value) for family in families for s in family.samples if s.name == name]


def test_every_edge_is_measured(demo: RunningDemo, order: str) -> None:
    """/metrics has the client and server of every edge of the demo, the batch consumer's too."""
    expected = ONCE_AN_ORDER | {("orders", "analytics")}
    seen = eventually(lambda: edges(demo, {"server", "consumer"}), lambda e: e.keys() >= expected)
    assert seen.keys() >= expected
