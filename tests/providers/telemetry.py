"""What the tests send, and settings under which nothing is sent until it is asked for."""

from __future__ import annotations

from opentelemetry import trace

NEVER = str(10**9)
"""Milliseconds: nothing is exported but by a flush."""
MANUAL = {
    "OTEL_BSP_SCHEDULE_DELAY": NEVER,
    "OTEL_BLRP_SCHEDULE_DELAY": NEVER,
    "OTEL_METRIC_EXPORT_INTERVAL": NEVER,
}
SPANS_ONLY = MANUAL | {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def spans(count: int, name: str = "span") -> None:
    """Make some spans."""
    tracer = trace.get_tracer("test")
    for _ in range(count):
        tracer.start_span(name).end()
