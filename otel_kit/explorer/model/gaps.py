"""What is missing in a saga, said and never papered over."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from otel_kit import names
from otel_kit.explorer.model import facts
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.story import Gap, Parent
from otel_kit.records import SpanRecord

Spans = Mapping[SpanKey, SpanRecord]

_LOOK_BACK: Final = 100
"""Calls looked at to find the one that a hop in belongs to; it bounds the work."""


def missing_parents(spans: Spans, parents: Mapping[SpanKey, Parent]) -> Iterator[Gap]:
    """One gap for each parent that is named and not here."""
    seen = set()
    for key, span in spans.items():
        above = parents.get(key)
        if not span.parent_span_id or (above is not None and above.by == "parent"):
            continue
        missing = (span.trace_id, span.parent_span_id)
        if missing not in seen and missing not in spans:  # a circle was cut, if it is there
            seen.add(missing)
            yield Gap("missing_parent", key, _parentless(span), server=span.service)


def _parentless(span: SpanRecord) -> str:
    return (
        f"the span above {span.name!r} in {span.service} is missing: "
        "it has not ended yet, was not sampled, or was lost"
    )


def cycles(spans: Spans, cut: list[SpanKey]) -> Iterator[Gap]:
    """One gap for each circle of parents that was cut."""
    for key in cut:
        span = spans[key]
        sentence = f"{span.name!r} in {span.service} is said to be below itself: its place is lost"
        yield Gap("cycle", key, sentence, server=span.service)


def duplicates(spans: Spans, keys: list[SpanKey]) -> Iterator[Gap]:
    """One gap for each id that two different spans had."""
    for key in keys:
        span = spans[key]
        sentence = (
            f"two different spans have the id of {span.name!r} in {span.service}: one is shown"
        )
        yield Gap("duplicate", key, sentence, server=span.service)


def lost_contexts(spans: Spans, roots: list[SpanKey], answered: set[SpanKey]) -> Iterator[Gap]:
    """One gap for each hop in that arrived without its context, with its likely sender.

    A request without context that nobody in the saga can have sent came from outside: no gap.
    """
    waiting = _Waiting(spans, answered)
    for key in roots:
        span = spans[key]
        if facts.text(span.attributes, names.SPAN_PROPAGATION) not in facts.LOST:
            continue
        sender = waiting.take(span)
        client = sender.service if sender else facts.peer(span)
        if client or span.kind == "consumer":
            yield _lost(span, client, sender)


def _lost(span: SpanRecord, client: str, sender: SpanRecord | None) -> Gap:
    who = client or names.UNKNOWN
    through = f" through {facts.destination(span)}" if facts.destination(span) else ""
    sentence = f"a hop from {who} to {span.service}{through} lost its context"
    known = facts.key(sender) if sender else None
    return Gap("lost_context", facts.key(span), sentence, who, span.service, known)


class _Waiting:
    """Hops out that nobody answered, by where they went; each stands for one hop in."""

    def __init__(self, spans: Spans, answered: set[SpanKey]) -> None:
        self._sent: dict[tuple[str, str], list[SpanRecord]] = {}
        for key, span in spans.items():  # by start
            if key not in answered and span.kind == "producer":
                self._sent.setdefault(("consumer", facts.destination(span)), []).append(span)
            elif key not in answered and span.kind == "client":
                self._sent.setdefault(("server", facts.peer(span)), []).append(span)

    def take(self, arrived: SpanRecord) -> SpanRecord | None:
        """The last that was sent before the arrival; a call must also still last."""
        to = facts.destination(arrived) if arrived.kind == "consumer" else arrived.service
        sent = self._sent.get((arrived.kind, to), [])
        last = bisect_right(sent, arrived.started_ns, key=lambda span: span.started_ns) - 1
        for place in range(last, max(-1, last - _LOOK_BACK), -1):
            if arrived.kind == "consumer" or sent[place].ended_ns >= arrived.started_ns:
                return sent.pop(place)
        return None
