"""Collector, Jaeger, Prometheus and Kafka together, with the configurations for one machine."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import yaml

from collector.stack import run
from collector.stack.parts import HERE
from collector.stack.process import HOST, Process, free_port

PORTS: Final = {
    "otlp": 4317,
    "otlp-http": 4318,
    "collector-health": 13133,
    "collector-prometheus": 8889,
    "collector-metrics": 8888,
    "jaeger": 16686,
    "jaeger-grpc": 16685,
    "jaeger-otlp": 14317,
    "jaeger-health": 14133,
    "jaeger-metrics": 18888,
    "prometheus": 9090,
    "kafka": 9092,
    "kafka-controller": 9093,
}
"""Every port that one of the parts listens on, with its default."""

ALL: Final = ("jaeger", "prometheus", "collector", "kafka")
"""The parts, in the order in which they start; whoever sends ends before whoever receives."""

_PROMETHEUS: Final = HERE / "prometheus"
_TARGETS: Final = {
    "otel-collector": "collector-prometheus",
    "otel-collector-itself": "collector-metrics",
    "jaeger": "jaeger-metrics",
}
"""Jobs of ``collector/prometheus/prometheus.yaml``, and the port that each scrapes."""


def free_ports() -> dict[str, int]:
    """A port for every name that nobody listens on."""
    return {name: free_port() for name in PORTS}


@dataclass
class OneMachine:
    """``with OneMachine(folder) as stack:`` all parts are ready within, and have ended after.

    `environment` is the Collector's (``collector/README.md``), `overlay` a configuration of its
    own over the project's; `scrape_interval` is Prometheus's.  Entering raises `run.NotBuilt` or
    `process.NotReady`.
    """

    folder: Path
    ports: Mapping[str, int] = field(default_factory=lambda: dict(PORTS))
    environment: Mapping[str, str] = field(default_factory=dict)
    scrape_interval: str = "15s"
    parts: Sequence[str] = ALL
    overlay: Path | None = None

    def __post_init__(self) -> None:
        if "kafka" in self.parts:
            self.kafka = self._kafka()
        self.jaeger = self._jaeger()
        self.collector = self._collector()
        self.prometheus = self._prometheus()
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            for name in self.parts:
                part: Process = getattr(self, name)
                starting.callback(part.stop)
                part.start()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def url(self, name: str) -> str:
        """``http://host:port`` of what listens on the port of this name."""
        return f"http://{self.address(name)}"

    def address(self, name: str) -> str:
        """``host:port``."""
        return f"{HOST}:{self.ports[name]}"

    def _kafka(self) -> Process:
        return run.kafka(self.folder / "kafka", self.ports["kafka"], self.ports["kafka-controller"])

    def _jaeger(self) -> Process:
        told = {
            "JAEGER_OTLP_PORT": "jaeger-otlp",
            "JAEGER_HEALTH_PORT": "jaeger-health",
            "JAEGER_QUERY_GRPC_PORT": "jaeger-grpc",
            "JAEGER_METRICS_PORT": "jaeger-metrics",
        }
        return run.jaeger(self.folder / "jaeger", self.ports["jaeger"], self._told(told))

    def _collector(self) -> Process:
        told = {
            "OTELCOL_OTLP_PORT": "otlp",
            "OTELCOL_OTLP_HTTP_PORT": "otlp-http",
            "OTELCOL_PROMETHEUS_PORT": "collector-prometheus",
            "OTELCOL_METRICS_PORT": "collector-metrics",
        }
        environment = {
            **self._told(told),
            "JAEGER_ENDPOINT": self.address("jaeger-otlp"),
            **self.environment,
        }
        health = self.ports["collector-health"]
        folder = self.folder / "collector"
        return run.collector(folder, "one-machine.yaml", health, environment, overlay=self.overlay)

    def _prometheus(self) -> Process:
        folder = self.folder / "prometheus"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "prometheus.yaml"
        config.write_text(yaml.safe_dump(self._scraping()))
        return run.prometheus(folder, config, self.ports["prometheus"])

    def _told(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {variable: str(self.ports[name]) for variable, name in variables.items()}

    def _scraping(self) -> dict[str, Any]:
        """The project's configuration of Prometheus, at these ports."""
        config: dict[str, Any] = yaml.safe_load((_PROMETHEUS / "prometheus.yaml").read_text())
        interval = self.scrape_interval
        config["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
        config["rule_files"] = [str(_PROMETHEUS / each) for each in config["rule_files"]]
        jobs = {job["job_name"]: job for job in config["scrape_configs"]}
        config["scrape_configs"] = [
            {**jobs[name], "static_configs": [{"targets": [self.address(port)]}]}
            for name, port in _TARGETS.items()
        ]
        return config
