"""The demo's services on the real parts, whose spans an embedded collector gets as well."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from collector.stack.one_machine import OneMachine, free_ports
from collector.stack.parts import HERE
from demo import config
from tests.demo.conftest import RunningDemo, running_demo
from tests.embedded.running import collector

_MICROSECONDS = {
    "error_mode": "ignore",
    "trace_statements": [
        {
            "context": "span",
            "statements": [
                f"set(span.{field}, span.{field} / 1000 * 1000)"
                for field in ("start_time_unix_nano", "end_time_unix_nano")
            ],
        },
        {
            "context": "spanevent",
            "statements": ["set(spanevent.time_unix_nano, spanevent.time_unix_nano / 1000 * 1000)"],
        },
    ],
}


@dataclass(frozen=True)
class Both:
    """The demo, the real parts, and where the embedded collector is asked."""

    demo: RunningDemo
    stack: OneMachine
    embedded: str


def tee(endpoint: str, folder: Path) -> Path:
    """A configuration over the project's: decided spans also go to `endpoint`.

    Times are cut to what Jaeger's API tells, microseconds, before either gets them.
    """
    ours = yaml.safe_load((HERE / "otelcol" / "one-machine.yaml").read_text())
    pipeline: dict[str, Any] = ours["service"]["pipelines"]["traces"]
    *before, batch = pipeline["processors"]
    content = {
        "processors": {"transform/microseconds": _MICROSECONDS},
        "exporters": {"otlp_http/embedded": {"endpoint": endpoint}},
        "service": {
            "pipelines": {
                "traces": {
                    **pipeline,
                    "processors": [*before, "transform/microseconds", batch],
                    "exporters": [*pipeline["exporters"], "otlp_http/embedded"],
                }
            }
        },
    }
    path = folder / "tee.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@contextmanager
def demo_on_stack(folder: Path, haste: dict[str, str]) -> Iterator[Both]:
    """Everything; orders flow."""
    environment = {**haste, "OTELCOL_SHARE": "100"}
    with ExitStack() as running:
        embedded = running.enter_context(collector())
        overlay = tee(embedded.otlp_http_url, folder)
        stack = OneMachine(folder, free_ports(), environment, "1s", overlay=overlay)
        running.enter_context(stack)
        told = {
            config.BOOTSTRAP_SERVERS: stack.address("kafka"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url("otlp"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        demo = running.enter_context(
            running_demo(folder / "demo", "--no-collector", "--rate", "3", environment=told)
        )
        yield Both(demo, stack, embedded.query_url)
