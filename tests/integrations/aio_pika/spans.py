"""What is asked of a trace, and names that nobody else has."""

from typing import Any
from uuid import uuid4

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from otel_kit.testing import Telemetry


def current_trace_id() -> int:
    return trace.get_current_span().get_span_context().trace_id


def said(telemetry: Telemetry, kind: SpanKind) -> dict[str, Any]:
    return dict(telemetry.span(kind=kind).attributes or {})


def new_name() -> str:
    return f"orders-{uuid4().hex[:12]}"
