"""The pytest plugin, as somebody has it who has installed the kit."""

import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest
import otel_kit
from otel_kit import outgoing, send

def test_what_is_emitted_is_kept(telemetry):
    with otel_kit.saga("ORD-1", "order") as saga, send(outgoing("kafka", "orders", carrier={})):
        saga.finish("completed")
    telemetry.saga("ORD-1").reached("completed").via("test", "kafka").within(5)

def test_the_next_one_begins_anew(telemetry):
    assert telemetry.spans == []

@pytest.mark.telemetry("billing", integrations=[])
def test_the_marker_says_how(telemetry):
    assert telemetry.service == "billing"

def test_nothing_is_recorded_without_it():
    assert otel_kit.hops.current() is None
"""


def test_the_fixture_is_there(tmp_path: Path) -> None:
    """Without a word of configuration, and strict about markers."""
    (tmp_path / "test_orders.py").write_text(TESTS)
    options = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--strict-markers"]
    run = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "4 passed" in done.stdout, done.stdout
