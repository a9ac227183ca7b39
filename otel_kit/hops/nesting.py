"""Where a hop stands in the context: within which other hops, and what it puts back."""

from collections.abc import Iterator

from opentelemetry.context import (
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,  # set by instrumentations of what calls an HTTP client
    _SUPPRESS_INSTRUMENTATION_KEY,  # set by every OpenTelemetry exporter
    Context,
    attach,
    get_current,
    get_value,
    set_value,
)
from opentelemetry.trace import SpanKind

from otel_kit.hops.keys import HOP


class Nested:
    """What stands under `HOP` in the context: a hop that knows what was current before it."""

    __slots__ = ("_ended", "_inside", "_previous")

    def __init__(self) -> None:
        self._ended = False
        self._inside: Context
        self._previous: Context

    @property
    def ended(self) -> bool:
        return self._ended

    def _enter(self, context: Context) -> None:
        self._previous = get_current()
        attach(context)

    def leave(self) -> None:
        """Put back the context that was before, in whichever task or thread this is.

        Hops of two consumers need not end in the reverse order of their begin: one that is still
        under way keeps its place, and will put back what was before both.
        """
        if get_current().get(HOP) is self:  # as nearly always
            attach(self._previous)
            return
        above: Nested | None = None
        for hop in under_way():
            if hop is self:
                break
            above = hop
        else:
            return
        if above is None:
            attach(self._previous)
        else:
            above._previous = self._previous

    def pause(self) -> None:
        """Put the context back until `resume`: between two steps of a generator, say."""
        if self in under_way():
            self._inside = get_current()
            attach(self._previous)

    def _forget_ended(self) -> None:
        """Refer to no hop that has ended: a task that starts its successor is an endless chain."""
        outer = self._previous.get(HOP)
        if isinstance(outer, Nested) and outer.ended:
            living = next((hop for hop in _outwards(outer) if not hop.ended), None)
            self._previous = set_value(HOP, living, self._previous)


def under_way() -> Iterator[Nested]:
    """The hops that the current context is within, innermost first."""
    return _outwards(get_value(HOP))


def suppressed(context: Context, kind: SpanKind, system: str) -> bool:
    """Whether somebody wants no such hop: an exporter, or who has made a span of it himself."""
    if context.get(_SUPPRESS_INSTRUMENTATION_KEY):
        return True
    asks = kind is SpanKind.CLIENT and system == "http"
    return asks and bool(context.get(_SUPPRESS_HTTP_INSTRUMENTATION_KEY))


def _outwards(hop: object) -> Iterator[Nested]:
    while isinstance(hop, Nested):
        yield hop
        hop = get_value(HOP, hop._previous)
