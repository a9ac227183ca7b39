"""A real Prometheus scrapes a demo with faults: no panel and no rule is blind."""

import httpx
import pytest

from tests.dashboards.blind import after_faults
from tests.dashboards.conftest import Watched
from tests.dashboards.prometheus import wait_for
from tests.dashboards.queries import OF_COLLECTOR, RULES, panel_queries, rule_queries

pytestmark = [
    pytest.mark.demo,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("prometheus"),  # one demo for all of them
]


def test_every_panel_and_every_rule_has_data(watched: Watched) -> None:
    """With all that can go wrong in the demo, every query of every panel and rule returns data."""
    of_services = [path for path in RULES if path != OF_COLLECTOR]
    blind = after_faults(
        watched.demo, watched.prometheus, [*panel_queries(), *rule_queries(of_services)]
    )

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
