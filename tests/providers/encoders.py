"""A span to encode, and the two encoders beside each other."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from otel_kit._providers.otlp_encoding import SpanEncoder

CONTEXT = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, False)
RESOURCE = Resource({"service.name": "orders"})


def span(name: str = "span", context: Any = CONTEXT, **parts: Any) -> ReadableSpan:
    """A span that has ended."""
    return ReadableSpan(
        name,
        context,
        **{"resource": RESOURCE, "start_time": 1_700_000_000_000_000_000, "end_time": 1} | parts,
    )


def same(*spans: ReadableSpan, encoder: SpanEncoder | None = None) -> bytes:
    """Both encodings, which must be one."""
    official: bytes = encode_spans(spans).SerializePartialToString()
    assert (encoder or SpanEncoder()).encode(spans) == official
    return official
