"""A span processor that can be taken off again, which OpenTelemetry has no word for."""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor


class Detachable(SpanProcessor):
    """Passes everything on until it is detached, from then on nothing."""

    def __init__(self, processor: Any) -> None:
        self._processor: Any = processor

    def detach(self) -> None:
        """Pass nothing on any more."""
        self._processor = SpanProcessor()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """As the processor has it."""
        self._processor.on_start(span, parent_context=parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """As the processor has it."""
        self._processor.on_end(span)

    def shutdown(self) -> None:
        """As the processor has it."""
        self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """As the processor has it."""
        return bool(self._processor.force_flush(timeout_millis))
