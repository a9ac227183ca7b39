"""The recording and alert rules, by Prometheus' own tool."""

import re
import subprocess

import promql_parser
import pytest
import yaml

from tests.dashboards.prometheus import program
from tests.dashboards.queries import PROMETHEUS, ROOT, RULE_TESTS, RULES, alerts, rules

RUNBOOK = (ROOT / "docs/runbook.md").read_text()


def promtool(*arguments: object) -> None:
    """Run it; what it says is the failure."""
    command = [program("promtool"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_valid() -> None:
    """Prometheus accepts the configuration, and finds all rules by it."""
    promtool("check", "config", PROMETHEUS / "prometheus.yaml")


def test_collectors_keep_the_names_of_services() -> None:
    """Both collectors hand on series of others, whose `job` and `instance` are to stay."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    keep = [each["job_name"] for each in config["scrape_configs"] if each.get("honor_labels")]

    assert keep == ["otel-kit-embedded", "otel-collector"]


@pytest.mark.timeout(180)  # some cases are hours of rules, evaluated every minute
@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should(path: object) -> None:
    """`promtool test rules`: every alert fires, and is silent, as its cases say."""
    promtool("test", "rules", path)


@pytest.mark.parametrize("name", sorted(alerts()))
def test_every_alert_is_tested_firing_and_silent(name: str) -> None:
    """There is at least one case of each."""
    expected = [
        bool(case["exp_alerts"])
        for path in RULE_TESTS
        for group in yaml.safe_load(path.read_text())["tests"]
        for case in group["alert_rule_test"]
        if case["alertname"] == name
    ]

    assert set(expected) == {True, False}


@pytest.mark.parametrize("name", sorted(alerts()))
def test_every_alert_says_what_to_do(name: str) -> None:
    """Severity, summary, description, and a runbook line that ends at a section of its own."""
    alert = alerts()[name]
    annotations = alert["annotations"]
    section = RUNBOOK.partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    assert alert["labels"]["severity"] in ("critical", "warning")
    assert annotations.keys() == {"summary", "description", "runbook"}
    assert annotations["runbook"].endswith(f": docs/runbook.md#{name.lower()}")
    assert re.findall(r"^\*\*(\w+):\*\*", section, re.M) == ["Means", "Look", "Do"]


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    """Its sections are the alerts."""
    assert set(re.findall(r"^## (\w+)$", RUNBOOK, re.M)) == set(alerts())


def test_rules_of_a_file_are_one_group() -> None:
    """Only within a group does a rule see what the one above it has just recorded."""
    for path in RULES:
        assert len(yaml.safe_load(path.read_text())["groups"]) == 1, path.name


def test_recorded_names_tell_level_metric_and_operation() -> None:
    """As Prometheus' documentation asks: ``level:metric:operations``."""
    for _, rule in rules():
        promql_parser.parse(rule["expr"])
        if "record" in rule:
            assert re.fullmatch(r"[a-z]+:otel_kit_\w+:\w+", rule["record"])
