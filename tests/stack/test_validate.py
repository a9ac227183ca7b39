"""The Collector accepts every configuration."""

import subprocess

import pytest

from collector.stack import run
from collector.stack.parts import HERE

CONFIGURATIONS = sorted((HERE / "otelcol").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_the_collector_accepts(path: object) -> None:
    """By its own `validate`, with every environment variable at its default."""
    command = [str(run.program("collector")), "validate", f"--config={path}"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
