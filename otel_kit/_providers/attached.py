"""A span processor of two functions that can be taken off again, which the SDK has no word for."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

OnStart = Callable[[Span, Context | None], object]
OnEnd = Callable[[ReadableSpan], object]


def _nothing(*_: object) -> None: ...


class Watcher(SpanProcessor):
    """Calls the functions until it is detached."""

    def __init__(self, on_start: OnStart, on_end: OnEnd) -> None:
        self._on_start, self._on_end = on_start, on_end

    def detach(self) -> None:
        """Call nothing any more."""
        self._on_start = self._on_end = _nothing

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span begins."""
        self._on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended."""
        self._on_end(span)
