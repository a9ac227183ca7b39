"""Everything that many machines run, as processes on loopback: each with its own configuration."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from collector.stack import run
from collector.stack.parts import HERE, PARTS
from collector.stack.process import HOST, Process, free_port

TOPICS: Final = ("otlp_spans", "otlp_metrics", "otlp_logs")
PARTITIONS: Final = 8
# Longer than a gateway's death and return, also on a busy machine.
DECISION_WAIT: Final = "15s"


class Machines:
    """Two agents, two gateways, two samplers and a writer; Kafka, Jaeger and Prometheus."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._metrics_ports: dict[str, int] = {}
        self._kafka_port, self._prometheus_port = free_port(), free_port()
        self._jaeger_port, self._jaeger_otlp_port = free_port(), free_port()
        self.agent_ports = [free_port(), free_port()]

        self.kafka = run.kafka(folder / "kafka", self._kafka_port, free_port())
        self.jaeger = self._jaeger()
        config = HERE / "prometheus" / "many-machines.yaml"
        self.prometheus = run.prometheus(folder / "prometheus", config, self._prometheus_port)
        gateway_ports = [free_port(), free_port()]
        self.gateways = [
            self._gateway(f"gateway-{index}", port) for index, port in enumerate(gateway_ports)
        ]
        self.agents = [
            self._agent(f"agent-{index}", port, gateway_ports)
            for index, port in enumerate(self.agent_ports)
        ]
        self.samplers = [self.sampler(f"sampler-{index}", "sampler") for index in range(2)]
        write_url = f"http://{HOST}:{self._prometheus_port}/api/v1/write"
        self.writer = self._collector("writer", "writer.yaml", PROMETHEUS_WRITE_URL=write_url)

    def sampler(self, name: str, group: str) -> Process:
        """It keeps sagas that something is wrong with, and none of the others."""
        return self._collector(
            name,
            "sampler.yaml",
            OTELCOL_GROUP=group,
            OTELCOL_INSTANCE=name,
            OTELCOL_DECISION_WAIT=DECISION_WAIT,
            OTELCOL_SHARE="0",
            JAEGER_ENDPOINT=f"{HOST}:{self._jaeger_otlp_port}",
        )

    def start(self) -> None:
        """Kafka first, with its topics; the rest side by side, until all partitions are shared."""
        self.kafka.start()
        admin = AdminClient({"bootstrap.servers": f"{HOST}:{self._kafka_port}"})
        topics = [NewTopic(name, PARTITIONS, 1) for name in TOPICS]
        for future in admin.create_topics(topics).values():
            future.result()
        collectors = [self.writer, *self.samplers, *self.gateways, *self.agents]
        with ThreadPoolExecutor() as pool:
            list(pool.map(Process.start, [self.jaeger, self.prometheus, *collectors]))
        self.wait_for_members("sampler", 2)

    def stop(self) -> None:
        """End them; nothing of theirs is needed any more."""
        streaming = [*self.agents, *self.gateways, *self.samplers, self.writer]
        for process in [*streaming, self.jaeger, self.prometheus, self.kafka]:
            process.kill()

    def wait_for_members(self, group: str, count: int) -> None:
        """Until so many consumers share all partitions of the spans."""
        admin = AdminClient({"bootstrap.servers": f"{HOST}:{self._kafka_port}"})

        def shared() -> bool:
            try:
                asked = admin.describe_consumer_groups([group], request_timeout=5)
                described = asked[group].result()
            except KafkaException:  # the group has no coordinator yet
                return False
            parts = [len(member.assignment.topic_partitions) for member in described.members]
            return len(parts) == count and min(parts) == PARTITIONS // count

        wait_until(shared, f"{count} members of {group}", 120)

    def traces(self, service: str) -> list[dict[str, Any]]:
        """All that Jaeger has of a service, whole."""
        url = f"http://{HOST}:{self._jaeger_port}/api/traces"
        traces: list[dict[str, Any]] = _json(url, service=service, limit=10_000)["data"]
        return traces

    def value(self, query: str) -> float | None:
        """What Prometheus answers, None without a series."""
        url = f"http://{HOST}:{self._prometheus_port}/api/v1/query"
        result = _json(url, query=query)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def counted(self, name: str, metric: str) -> float:
        """The sum over a counter of a Collector's own."""
        url = f"http://{HOST}:{self._metrics_ports[name]}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))

    def logs(self) -> str:
        """What the writer has written."""
        found = (self._folder / "writer" / "logs").glob("logs.jsonl")  # not there before the first
        return "".join(path.read_text() for path in found)

    def _jaeger(self) -> Process:
        ports = {"OTLP": self._jaeger_otlp_port}
        ports |= {name: free_port() for name in ("HEALTH", "QUERY_GRPC", "METRICS")}
        environment = {f"JAEGER_{name}_PORT": str(port) for name, port in ports.items()}
        return run.jaeger(self._folder / "jaeger", self._jaeger_port, environment)

    def _gateway(self, name: str, port: int) -> Process:
        return self._collector(
            name,
            "gateway.yaml",
            OTELCOL_INSTANCE=name,
            OTELCOL_OTLP_PORT=str(port),
            OTELCOL_GRAPH_INTERVAL="1s",
        )

    def _agent(self, name: str, port: int, gateway_ports: list[int]) -> Process:
        gateways = ", ".join(f"{HOST}:{gateway}" for gateway in gateway_ports)
        return self._collector(
            name,
            "agent.yaml",
            OTELCOL_GATEWAYS=f"{{static: {{hostnames: [{gateways}]}}}}",
            OTELCOL_OTLP_PORT=str(free_port()),
            OTELCOL_OTLP_HTTP_PORT=str(port),
        )

    def _collector(self, name: str, config: str, **environment: str) -> Process:
        self._metrics_ports[name] = free_port()
        own = {
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self._kafka_port}",
            "OTELCOL_METRICS_PORT": str(self._metrics_ports[name]),
        }
        return run.collector(self._folder / name, config, free_port(), own | environment, name)


@contextmanager
def running(folder: Path) -> Iterator[Machines]:
    """All of them, until the end of the block; skips where a part is not built."""
    for part in PARTS:
        if not part.path.exists():
            pytest.skip(f"{part.name} is not built: run make stack")
    machines = Machines(folder)
    try:
        machines.start()
        yield machines
    finally:
        machines.stop()


def wait_until(true: Callable[[], bool], what: str, seconds: float) -> None:
    """Fails the test if it does not become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.3)


def _json(url: str, **parameters: object) -> Any:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=30) as reply:
        return json.load(reply)
