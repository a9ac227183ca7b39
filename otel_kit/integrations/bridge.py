"""Edge metrics from spans that other instrumentations make: one hop, never two spans."""

from opentelemetry.context import Context
from opentelemetry.trace import Span


class Bridge:
    """A span processor's two ends; `_wiring` adds it to the tracer provider."""

    def on_start(self, span: Span, parent: Context | None) -> None:
        """Remember what the headers said about the caller of this span."""

    def on_end(self, span: object) -> None:
        """Record the hop that this span was."""
