"""What a test says of a saga: how it ended, which way it went, how long that took.

Each function returns the saga again, or raises AssertionError with what was recorded instead.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Self, get_args

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.sagas import Outcome

_OUTCOMES: Final = get_args(Outcome)
_INBOUND: Final = (SpanKind.SERVER, SpanKind.CONSUMER)
_OUTBOUND: Final = (SpanKind.CLIENT, SpanKind.PRODUCER)


class RecordedSaga:
    """The ended spans of one saga."""

    def __init__(self, saga_id: str, spans: Iterable[ReadableSpan]) -> None:
        """`spans` may be of other sagas too; AssertionError if none is of this one."""
        spans = list(spans)
        own = [span for span in spans if _said(span, names.SAGA_ID) == saga_id]
        known = sorted({str(_said(each, names.SAGA_ID)) for each in spans} - {"None"})
        assert own, f"no span of saga {saga_id} has ended; those of {known or 'no saga'} have"
        self.id: Final = saga_id
        self.spans: Final[Sequence[ReadableSpan]] = own

    @property
    def outcome(self) -> str | None:
        """What `Saga.finish()` said last, within a span of the saga; None if it has not."""
        told = [
            (event.timestamp, str((event.attributes or {}).get(names.SAGA_OUTCOME)))
            for span in self.spans
            for event in span.events
            if event.name == names.EVENT_SAGA_FINISHED
            and (event.attributes or {}).get(names.SAGA_ID) == self.id
        ]
        return max(told)[1] if told else None

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Who called, or sent to, whom, by the start of the hops; either side may be `unknown`.

        To who sends a message, its receiver is the broker; who receives it knows the sender.
        """
        found = (_edge(span) for span in sorted(self.spans, key=lambda each: each.start_time or 0))
        return [edge for edge in found if edge is not None]

    def reached(self, outcome: str) -> Self:
        """It ended so: completed, compensated, partially_compensated or failed.

        Raises ValueError for any other word.
        """
        if outcome not in _OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome of a saga: {', '.join(_OUTCOMES)}")
        assert self.outcome == outcome, (
            f"saga {self.id} {'has not finished' if self.outcome is None else self.outcome},"
            f" expected {outcome}"
        )
        return self

    def via(self, *services: str) -> Self:
        """Each of these called, or sent a message to, the next one."""
        edges = self.edges
        for edge in pairwise(services):
            assert edge in edges, (
                f"saga {self.id} did not go from {' to '.join(edge)}; it went"
                f" {', '.join(f'{client} → {server}' for client, server in edges) or 'nowhere'}"
            )
        return self

    def within(self, seconds: float) -> Self:
        """From the start of its first span to the end of its last it took no longer."""
        first = min(span.start_time or 0 for span in self.spans)
        took = (max(span.end_time or 0 for span in self.spans) - first) / 1e9
        assert took <= seconds, f"saga {self.id} took {took:.3f} s, more than {seconds} s"
        return self


def _edge(span: ReadableSpan) -> tuple[str, str] | None:
    own = str(span.resource.attributes.get(names.SERVICE_NAME, names.UNKNOWN))
    if span.kind in _OUTBOUND:
        return own, str(_said(span, names.PEER_NAME) or names.UNKNOWN)
    if span.kind in _INBOUND:
        return str(_said(span, names.SPAN_CLIENT) or names.UNKNOWN), own
    return None


def _said(span: ReadableSpan, name: str) -> object:
    return (span.attributes or {}).get(name)
