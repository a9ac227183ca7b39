"""The configurations for many machines, as the parts themselves read them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import grpc
import httpx
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.stack import run
from collector.stack.parts import HERE
from collector.stack.process import HOST, Process, free_port
from tests.collector.test_kubernetes import ADDRESSES
from tests.embedded import build
from tests.stack.many_machines import wait_until


def said(command: Sequence[object], **environment: str) -> str:
    """Nothing but what it says when it refuses."""
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr if done.returncode else ""


def program(name: str) -> Path:
    """Skips the test if it is not built."""
    try:
        return run.program(name)
    except run.NotBuilt as problem:
        pytest.skip(str(problem))


@pytest.mark.parametrize("name", ["agent", "gateway", "sampler", "writer"])
def test_the_collector_takes_its_configuration_with_the_addresses_of_kubernetes(name: str) -> None:
    """Its own `validate`."""
    config = HERE / "otelcol" / f"{name}.yaml"

    assert not said([program("collector"), "validate", f"--config={config}"], **ADDRESSES)


def test_an_agent_does_not_start_without_gateways() -> None:
    """It would have nowhere to send to."""
    config = HERE / "otelcol" / "agent.yaml"

    assert "resolver" in said([program("collector"), "validate", f"--config={config}"])


def test_jaeger_takes_its_configuration() -> None:
    """Its own `validate`, with OpenSearch as the store."""
    config = HERE / "jaeger" / "many-machines.yaml"

    assert not said([program("jaeger"), "validate", f"--config={config}"])


def test_prometheus_takes_its_configuration() -> None:
    """promtool also reads the rules."""
    promtool = program("prometheus").with_name("promtool")

    assert not said([promtool, "check", "config", HERE / "prometheus" / "many-machines.yaml"])


@pytest.mark.parametrize(
    ("kind", "names", "many"),
    [
        ("processors", ("tail_sampling/saga", "tail_sampling"), "sampler.yaml"),
        ("processors", ("transform/mark_counted",) * 2, "gateway.yaml"),
        ("processors", ("filter/counted",) * 2, "gateway.yaml"),
        ("processors", ("transform/unmark_counted",) * 2, "gateway.yaml"),
        ("connectors", ("service_graph",) * 2, "gateway.yaml"),
    ],
)
def test_the_same_is_kept_and_counted_on_one_machine_and_on_many(
    kind: str, names: tuple[str, str], many: str
) -> None:
    """The policies of sampling, and what makes the service graph."""
    here, there = (
        yaml.safe_load((HERE / "otelcol" / file).read_text())[kind][name]
        for file, name in zip(("one-machine.yaml", many), names, strict=True)
    )

    assert here.get("policies", here) == there.get("policies", there)


def test_jaeger_shows_a_span_once_that_its_store_has_twice(tmp_path: Path) -> None:
    """In memory it keeps all that it is sent, as in OpenSearch; Badger would keep one."""
    otlp, query = free_port(), free_port()
    jaeger = jaeger_in_memory(tmp_path, query, OTLP=otlp)
    jaeger.start()
    try:
        first, second = build.span("first"), build.span("second")
        for spans in ([first], [first], [second]):
            send(otlp, spans)
        url = f"http://{HOST}:{query}/api/traces?service=web"
        wait_until(lambda: len(names_in(url)) >= 2, "both spans in Jaeger", 30)
        assert names_in(url) == ["first", "second"]
    finally:
        jaeger.kill()


def jaeger_in_memory(folder: Path, query_port: int, **ports: int) -> Process:
    """The configuration of one machine, with another store."""
    config = yaml.safe_load((HERE / "jaeger" / "one-machine.yaml").read_text())
    config["extensions"]["jaeger_storage"]["backends"]["disk"] = {"memory": {"max_traces": 100}}
    path = folder / "in-memory.yaml"
    path.write_text(yaml.safe_dump(config))
    ports |= {"QUERY": query_port}
    ports |= {name: free_port() for name in ("HEALTH", "QUERY_GRPC", "METRICS")}
    return Process(
        "jaeger",
        [str(program("jaeger")), f"--config={path}"],
        folder,
        f"http://{HOST}:{query_port}/api/services",
        {f"JAEGER_{name}_PORT": str(port) for name, port in ports.items()},
    )


def send(port: int, spans: list[Span]) -> None:
    """As the service web."""
    request = build.traces(spans, service="web")
    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        TraceServiceStub(channel).Export(request, timeout=30)


def names_in(url: str) -> list[str]:
    """Of all spans that Jaeger shows."""
    traces = httpx.get(url, timeout=30).json()["data"]
    return sorted(span["operationName"] for trace in traces for span in trace["spans"])
