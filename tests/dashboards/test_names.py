"""Dashboards, rules, docs and `otel_kit.names` speak of the same metrics."""

import re
from pathlib import Path

import pytest

from dashboards.source import metrics
from otel_kit import names
from tests.dashboards.queries import ROOT, panel_queries, recorded, rule_queries, rules, selected

ON_DASHBOARDS = set().union(*(selected(asked.expr) for asked in panel_queries()))
IN_RULES = set().union(*(selected(rule["expr"]) for _, rule in rules()))
OF_OTHERS = re.compile(r"otelcol_\w+|up")
"""What the Collector says of itself, and Prometheus of it."""
OURS = {series for metric in metrics.ALL for series in metric.all_series}
TABLE = re.compile(r"^\| `([\w.]+)` \| (counter|gauge|histogram), ([^\s,|]+)", re.M)
"""Rows of the reference: name, type, and the first word of the third, which is the unit."""


def test_every_metric_of_ours_is_known_to_the_dashboards() -> None:
    """What `otel_kit.names` lists as our metrics is what the dashboards are made from."""
    sections = re.split(r"^# -- (.*?) -+$", Path(names.__file__).read_text(), flags=re.M)
    ours = [
        text
        for title, text in zip(sections[1::2], sections[2::2], strict=True)
        if title in ("metrics: ours", "metrics: Grafana's service graph")
    ]
    listed = re.findall(r'^\w+: Final = "(.+)"', "".join(ours), re.M)

    assert sorted(listed) == sorted(metric.name for metric in metrics.ALL)


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: metric.name)
def test_every_metric_is_on_a_dashboard(metric: metrics.Metric) -> None:
    """Nothing is measured that nobody can see."""
    assert ON_DASHBOARDS & set(metric.all_series)


def test_dashboards_ask_for_nothing_else() -> None:
    """Every series on a dashboard is a metric of ours or recorded by a rule."""
    assert OURS | recorded() >= ON_DASHBOARDS


def test_rules_ask_for_nothing_else() -> None:
    """Every series in a rule is a metric of ours, recorded by a rule, or the Collector's own."""
    others = {name for name in IN_RULES if OF_OTHERS.fullmatch(name)}

    assert OURS | recorded() | others >= IN_RULES


def test_every_recorded_series_is_used() -> None:
    """By a dashboard, an alert or another rule."""
    used = set().union(*(selected(asked.expr) for asked in rule_queries()))

    assert recorded() <= used | ON_DASHBOARDS | IN_RULES


def test_the_reference_gives_type_and_unit() -> None:
    """`docs/telemetry.md` says of every metric what the dashboards take it for."""
    documented = {name: (kind, unit) for name, kind, unit in _documented()}
    taken = {each.name: (each.type, each.unit) for each in metrics.ALL}

    assert documented == {name: taken[name] for name in documented}


def test_docs_name_no_metric_that_is_not_there() -> None:
    """A Prometheus name in the README or the docs is one of ours."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"\b(?:otel_kit|traces_service_graph)_\w+", page.read_text())
    }
    families = {metric.family for metric in metrics.ALL}

    assert named <= OURS | families | {metric.name for metric in metrics.ALL}


def _documented() -> list[tuple[str, str, str]]:
    rows = TABLE.findall((ROOT / "docs/telemetry.md").read_text())
    ours = {metric.name for metric in metrics.ALL}
    return [row for row in rows if row[0] in ours]
