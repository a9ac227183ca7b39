"""What the test programs, each a process of its own, have in common."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from tests.providers.sink import Sink

Program = Callable[..., subprocess.Popen[str]]
"""The fixture `program`."""

START = """
import multiprocessing, os, signal, sys, threading
from opentelemetry import metrics, trace
from otel_kit import _providers
from otel_kit.settings import Settings

providers = _providers.create(Settings.from_environment("orders"))
tracer = trace.get_tracer("test")
counter = metrics.get_meter("test").create_counter("orders")

def work(name, count=1):
    for _ in range(count):
        with tracer.start_as_current_span(name):
            counter.add(1)
"""


def to(url: str) -> dict[str, str]:
    """The variables of a program that exports only when it ends."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "1000000",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000000",
    }


def counts(sink: Sink, name: str = "orders") -> list[tuple[str, float]]:
    """(instance, last value) of the counter, in order of first arrival."""
    last: dict[str, float] = {}
    for resource, _, value in sink.points(name):
        last[resource["service.instance.id"]] = value
    return list(last.items())
