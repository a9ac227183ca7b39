"""What the tests ask of spans and hops."""

from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from otel_kit import names
from otel_kit.testing import Telemetry


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent and span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def links_of(span: ReadableSpan) -> list[int]:
    """The ids of the spans that it links to."""
    return [link.context.span_id for link in span.links]


def trace_id() -> int:
    """Of the trace that this is called in."""
    return trace.get_current_span().get_span_context().trace_id


def sent(telemetry: Telemetry, **labels: Any) -> int:
    """How many messages were counted on the producer's side."""
    return telemetry.count(names.HOP_DURATION, side="producer", **labels)


def handled(telemetry: Telemetry, **labels: Any) -> int:
    """How many messages were counted on the consumer's side."""
    return telemetry.count(names.HOP_DURATION, side="consumer", **labels)
