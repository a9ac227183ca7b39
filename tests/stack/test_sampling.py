"""Which traces get to Jaeger: whole sagas, over all their traces and with their callers."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from collector.stack.one_machine import OneMachine
from tests.stack.asking import Jaeger, eventually, prometheus, total
from tests.stack.sagas_program import KINDS

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(120)]
PROGRAM = Path(__file__).with_name("sagas_program.py")
HEALTHY = 100
PARTS = {"first caller", "second caller", "request", "reserve"}


@pytest.fixture(scope="module")
def kept(stack: OneMachine) -> dict[str, Counter[str]]:
    """The spans in Jaeger by saga, and how often each name is there, once all is decided."""
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url("otlp-http"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    subprocess.run([sys.executable, str(PROGRAM), str(HEALTHY)], env=environment, check=True)
    # Each trace is decided on by itself first, then as part of its saga; one was outside any saga.
    traces, sagas = 2 * (HEALTHY + len(KINDS)), HEALTHY + len(KINDS)
    decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
    with prometheus(stack) as asking:
        eventually(lambda: total(asking, decided), lambda found: found >= traces + sagas)
    jaeger = Jaeger(stack.url("jaeger"))
    eventually(lambda: len(jaeger.traces("sagas")), lambda found: found >= 2 * len(KINDS))
    found: dict[str, Counter[str]] = {}
    for trace in jaeger.traces("sagas"):
        tags = {tag["key"]: tag["value"] for span in trace["spans"] for tag in span["tags"]}
        names = Counter(span["operationName"] for span in trace["spans"])
        found[tags["of"]] = found.get(tags["of"], Counter()) + names
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_sagas_with_a_story_arrive_whole(kept: dict[str, Counter[str]], kind: str) -> None:
    """Error, compensation, refused call, slow step, bad end: both traces, callers included."""
    assert kept[kind].keys() >= PARTS
    assert kept[kind]["request"] == kept[kind]["reserve"] == 2


def test_of_healthy_sagas_a_share_arrives(kept: dict[str, Counter[str]]) -> None:
    """About a third, as the test's Collector is told."""
    healthy = [saga_id for saga_id in kept if saga_id.startswith("healthy")]

    assert HEALTHY * 0.15 < len(healthy) < HEALTHY * 0.5


def test_no_saga_arrives_in_part(kept: dict[str, Counter[str]]) -> None:
    """Of those that are kept nothing is missing; of the others there is nothing."""
    whole = Counter({"first caller": 1, "second caller": 1, "request": 2, "reserve": 2})
    partly = {saga_id: names for saga_id, names in kept.items() if names & whole != whole}

    assert partly == {}


def test_spans_are_as_they_were_sent(stack: OneMachine, kept: dict[str, Counter[str]]) -> None:
    """The Collector's own marks are gone, and the resource is the service's again."""
    trace = Jaeger(stack.url("jaeger")).traces("sagas", {"saga.id": "error"})[0]
    keys = {tag["key"] for span in trace["spans"] for tag in span["tags"]}
    [process] = trace["processes"].values()

    assert not [key for key in keys if key.startswith("collector.")]
    assert process["serviceName"] == "sagas"
    assert {"service.instance.id", "telemetry.sdk.name"} <= {tag["key"] for tag in process["tags"]}
    assert "saga.id" not in {tag["key"] for tag in process["tags"]}
