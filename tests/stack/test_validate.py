"""The Collector accepts every configuration, and Prometheus's rules do what their cases say."""

import os
import subprocess

import pytest

from collector.stack import run
from collector.stack.parts import HERE
from tests.dashboards.queries import RULE_TESTS

CONFIGURATIONS = sorted((HERE / "otelcol").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_the_collector_accepts(path: object) -> None:
    """By its own `validate`, with every environment variable at its default that has one."""
    command = [str(run.program("collector")), "validate", f"--config={path}"]
    environment = os.environ | {"OTELCOL_GATEWAYS": "{dns: {hostname: gateway}}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_every_alert_fires_and_is_silent(path: object) -> None:
    """With this Prometheus, too: what a window's edge belongs to has changed with version 3."""
    promtool = run.program("prometheus").with_name("promtool")
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
