"""A broken demo under the eyes of a real Prometheus."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dashboards.prometheus import Prometheus, free_port, program, running_prometheus
from tests.dashboards.queries import ROOT
from tests.demo.conftest import RunningDemo, running_demo

TROUBLED = Path(__file__).with_name("troubled.py")


@dataclass(frozen=True)
class Watched:
    """The demo, and the Prometheus that scrapes its collector."""

    demo: RunningDemo
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Orders flow; the bank loses contexts, every message comes twice, one service is troubled."""
    program("prometheus")
    port = free_port()
    faults = ("--fault", "context-dropped", "--fault", "duplicate-delivery")
    with ExitStack() as stack:
        demo = stack.enter_context(
            running_demo(
                tmp_path_factory.mktemp("demo"),
                *("--rate", "8", "--port", f"otlp-http={port}", *faults),
                environment={"OTEL_METRIC_EXPORT_INTERVAL": "1000"},
            )
        )
        stack.enter_context(troubled_service(f"http://127.0.0.1:{port}"))
        target = demo.query.removeprefix("http://")
        directory = tmp_path_factory.mktemp("prometheus")
        yield Watched(demo, stack.enter_context(running_prometheus(directory, target)))


@contextmanager
def troubled_service(endpoint: str) -> Iterator[None]:
    """`troubled.py` in a process of its own."""
    command = [sys.executable, str(TROUBLED), endpoint]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
