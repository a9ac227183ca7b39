"""A real Prometheus scrapes a demo with faults: no panel and no rule is blind.

The demo's faults take turns until everything that is asked has an answer.
"""

from itertools import cycle

import httpx
import pytest

from tests.dashboards.conftest import Watched
from tests.dashboards.prometheus import Prometheus, wait_for
from tests.dashboards.queries import Asked, panel_queries, rule_queries

pytestmark = [
    pytest.mark.demo,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("prometheus"),  # one demo for all of them
]
FAULTS = ("out-of-stock", "bank-down", "poison-message", "consumer-stalled", "billing-declines")
PATIENCE = 10
"""So many turns; each fault comes twice."""
TURN = 4.0
"""Seconds."""


class Blind:
    """The queries that have had no answer so far."""

    def __init__(self, prometheus: Prometheus, queries: list[Asked]) -> None:
        self._prometheus = prometheus
        self.queries = queries

    def gone(self) -> bool:
        """Ask again; whether none is left."""
        self.queries = [each for each in self.queries if not self._prometheus.has_data(each.expr)]
        return not self.queries

    def __str__(self) -> str:
        return "".join(f"\n  {each}" for each in self.queries)


def test_every_panel_and_every_rule_has_data(watched: Watched) -> None:
    """With all that can go wrong in the demo, every query of every panel and rule returns data."""
    blind = Blind(watched.prometheus, [*panel_queries(), *rule_queries()])
    wait_for(
        lambda: watched.prometheus.has_data('otel_kit_saga_finished_total{outcome="completed"}'), 30
    )
    assert not watched.demo.get("/orders/nobody-placed-it").is_success

    for _, fault in zip(range(PATIENCE), cycle(FAULTS), strict=False):
        with watched.demo.broken(fault):
            if wait_for(blind.gone, TURN):
                break

    if blind.queries:
        pytest.fail(f"{len(blind.queries)} queries return nothing:{blind}", pytrace=False)


def test_rules_are_evaluated_without_error(watched: Watched) -> None:
    """Prometheus accepts every rule, and no rule's evaluation fails."""

    def rules() -> list[dict[str, str]]:
        groups = watched.prometheus.get("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    assert wait_for(lambda: all(rule["health"] != "unknown" for rule in rules()), 20)
    assert [
        (rule["name"], rule.get("lastError")) for rule in rules() if rule["health"] != "ok"
    ] == []


@pytest.mark.parametrize(
    ("alert", "labels"),
    [
        ("TelemetryLost", 'job="troubled",signal="traces"'),
        ("BreakerOpen", 'server="bank"'),
        ("DeadLetters", 'error_class!=""'),
    ],
)
def test_alerts_fire(watched: Watched, alert: str, labels: str) -> None:
    """What is broken, and alerts at once, is a firing alert with the labels to find it by."""
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing",{labels}}}'

    with watched.demo.broken("bank-down" if alert == "BreakerOpen" else "poison-message"):
        assert wait_for(lambda: watched.prometheus.has_data(firing), 40)


def test_exemplars_open_their_traces(watched: Watched) -> None:
    """An exemplar of a latency histogram names a trace that the collector has."""

    def trace_ids() -> list[str]:
        asked = {"query": "otel_kit_hop_duration_seconds_bucket", "start": "0", "end": "9999999999"}
        found = watched.prometheus.get("query_exemplars", **asked)
        return [each["labels"]["trace_id"] for series in found for each in series["exemplars"]]

    assert wait_for(trace_ids, 20)
    assert wait_for(lambda: any(_opens(watched, each) for each in trace_ids()[-5:]), 10)


def _opens(watched: Watched, trace_id: str) -> bool:
    reply = httpx.get(f"{watched.demo.query}/api/traces/{trace_id}", timeout=20)
    return reply.is_success and bool(reply.json()["data"])
