"""A span processor of two functions that can be taken off again, which the SDK has no word for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

OnStart = Callable[[Span, Context | None], object]
OnEnd = Callable[[ReadableSpan], object]


def _nothing(*_: object) -> None: ...


class Watcher(SpanProcessor):
    """Calls the functions until it is detached."""

    def __init__(self, on_start: OnStart, on_end: OnEnd) -> None:
        self._on_start, self._on_end = on_start, on_end
        self._providers: list[Any] = []

    def attach(self, provider: Any) -> bool:
        """Add it to a tracer provider, one more if need be.  False if that takes no processors."""
        add = getattr(provider, "add_span_processor", None)
        if add is None:
            return False
        self._providers.append(provider)
        add(self)
        return True

    def detach(self) -> None:
        """Call nothing any more, and leave nothing behind."""
        self._on_start = self._on_end = _nothing
        while self._providers:
            _take_off(self, self._providers.pop())

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span begins."""
        self._on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended."""
        self._on_end(span)


def _take_off(watcher: Watcher, provider: Any) -> None:
    """Out of the SDK's tuple of processors.  One that keeps them otherwise keeps an idle one."""
    several = getattr(provider, "_active_span_processor", None)
    lock, processors = getattr(several, "_lock", None), getattr(several, "_span_processors", None)
    if lock is not None and isinstance(processors, tuple):
        with lock:
            kept = [each for each in several._span_processors if each is not watcher]  # type: ignore[union-attr]
            several._span_processors = tuple(kept)  # type: ignore[union-attr]
