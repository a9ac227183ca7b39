"""Counts are what the demo did, to the last one, whatever share of the traces is kept."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.demo.conftest import RunningDemo, running_demo
from tests.embedded.running import Client, collector

pytestmark = [pytest.mark.demo, pytest.mark.timeout(180)]

LIMIT = 30.0
OWN = 6
"""Orders of the demo's own traffic."""
FAULTS = {"billing-declines": "compensated", "out-of-stock": "failed"}
SERVED_BY = {
    "inventory.commands": ["inventory"],
    "billing.commands": ["billing"],
    "orders.created": ["analytics"],
    "orders.outcomes": ["notifications", "analytics"],
}
Edges = Counter[tuple[str, str]]


@pytest.mark.parametrize("ratio", ["0", "0.01", "1"])
def test_all_counts_are_what_the_demo_did(tmp_path: Path, ratio: str) -> None:
    """Edges, service graph, contexts and sagas equal the databases; exemplars have their trace."""
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio}
    arguments = ("--orders", str(OWN), "--rate", "50")
    with running_demo(tmp_path, *arguments, environment=sampler) as demo:
        for fault, outcome in FAULTS.items():
            with demo.broken(fault):
                assert demo.outcome(demo.place_order()) == outcome
        wait_for_all(demo)
    edges, sagas = what_it_did(demo)
    with collector(tmp_path / "telemetry") as client:
        found = samples(client)
        received = counted(found, "otel_kit_hop_duration_seconds_count", side="consumer")
        received += counted(found, "otel_kit_hop_duration_seconds_count", side="server")
        assert received == counted(found, "traces_service_graph_request_total") == edges
        assert counted(found, "traces_service_graph_request_server_seconds_count") == edges
        continued = counted(found, "otel_kit_propagation_messages_total", result="continued")
        assert continued == counted(found, "otel_kit_propagation_messages_total")
        assert continued == Counter({e: n for e, n in edges.items() if e[0] != "unknown"})
        assert outcomes(found) == sagas
        assert total(found, "otel_kit_saga_started_total") == sagas.total()
        traces = {sample.exemplar.labels["trace_id"] for sample in found if sample.exemplar}
        assert all(client.data(f"/api/traces/{trace}") for trace in traces)
        assert bool(traces) == bool(client.data("/api/services")), "sampled, and not pointed at"


def wait_for_all(demo: RunningDemo) -> None:
    """Until everybody has heard of the end of every order."""
    orders = OWN + len(FAULTS)
    heard = [
        ("orders", "SELECT count(*) FROM orders WHERE outcome != ''", orders),
        ("notifications", "SELECT count(*) FROM inbox", orders),
        ("analytics", "SELECT sum(orders) FROM totals", 2 * orders),
    ]
    deadline = time.monotonic() + LIMIT
    while any(demo.rows(service, sql) != [(count,)] for service, sql, count in heard):
        assert time.monotonic() < deadline, "not all was heard"
        time.sleep(0.05)


def what_it_did(demo: RunningDemo) -> tuple[Edges, Counter[str]]:
    """How often each pair talked, and how the sagas ended, as the services' databases have it."""
    sagas = Counter({str(outcome): int(str(n)) for outcome, n in demo.rows("orders", OUTCOMES)})
    edges: Edges = Counter()
    for topic, count in demo.rows("orders", "SELECT topic, count(*) FROM outbox GROUP BY topic"):
        for server in SERVED_BY[str(topic)]:
            edges["orders", server] += int(str(count))
    edges["web", "orders"] = sagas.total()
    edges["inventory", "orders"] = edges["orders", "inventory"]
    edges["billing", "orders"] = edges["billing", "bank"] = edges["orders", "billing"]
    edges["notifications", "web"] = edges["orders", "notifications"]
    edges["unknown", "web"] = 2 * sagas.total()  # each is placed and followed
    return edges, sagas


OUTCOMES = "SELECT outcome, count(*) FROM orders GROUP BY outcome"


def samples(client: Client) -> list[Sample]:
    """All samples, with exemplars."""
    page = client.http.get(
        f"{client.query_url}/metrics", headers={"accept": "application/openmetrics-text"}
    )
    families = text_string_to_metric_families(page.raise_for_status().text)
    return [sample for family in families for sample in family.samples]


def matching(found: Iterable[Sample], name: str, **labels: str) -> list[Sample]:
    return [s for s in found if s.name == name and labels.items() <= s.labels.items()]


def counted(found: Iterable[Sample], name: str, **labels: str) -> Edges:
    edges: Edges = Counter()
    for sample in matching(found, name, **labels):
        edges[sample.labels["client"], sample.labels["server"]] += int(sample.value)
    return edges


def outcomes(found: Iterable[Sample]) -> Counter[str]:
    ended: Counter[str] = Counter()
    for sample in matching(found, "otel_kit_saga_finished_total"):
        ended[sample.labels["outcome"]] += int(sample.value)
    return ended


def total(found: Iterable[Sample], name: str) -> int:
    return sum(int(sample.value) for sample in matching(found, name))
