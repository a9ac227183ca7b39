"""The Collector accepts every configuration."""

import os
import subprocess

import pytest

from collector.stack import run
from collector.stack.parts import HERE

CONFIGURATIONS = sorted((HERE / "otelcol").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_the_collector_accepts(path: object) -> None:
    """By its own `validate`, with every environment variable at its default that has one."""
    command = [str(run.program("collector")), "validate", f"--config={path}"]
    environment = os.environ | {"OTELCOL_GATEWAYS": "{dns: {hostname: gateway}}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
