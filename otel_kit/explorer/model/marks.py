"""Moments worth a mark on the timeline: a breaker that changed, an end, what was put aside."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from otel_kit import names
from otel_kit.explorer.model import facts
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.story import Story
from otel_kit.records import EventRecord, SpanRecord

MAX_MARKS: Final = 200
MarkKind = Literal["breaker", "outcome", "dead_letter", "duplicate", "missing"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a span, said in a sentence with `names` in backticks."""

    kind: MarkKind
    time_ns: int
    span: SpanKey
    sentence: str


def marks(story: Story) -> tuple[Mark, ...]:
    """By time, the first `MAX_MARKS` of them."""
    found = [mark for span in story.spans.values() for mark in _of_span(span)]
    found += [
        Mark("missing", story.spans[gap.span].started_ns, gap.span, gap.sentence)
        for gap in story.gaps
    ]
    return tuple(islice(sorted(found, key=lambda mark: mark.time_ns), MAX_MARKS))


def _of_span(span: SpanRecord) -> Iterator[Mark]:
    key = facts.key(span)
    for event in span.events:
        if event.name == names.EVENT_BREAKER_TRANSITION:
            yield Mark("breaker", event.time_ns, key, _transition(event))
        elif event.name == names.EVENT_SAGA_FINISHED:
            outcome = facts.text(event.attributes, names.SAGA_OUTCOME)
            yield Mark("outcome", event.time_ns, key, f"the saga finished: {_word(outcome)}")
    if reason := facts.text(span.attributes, names.SPAN_DEAD_LETTER):
        yield Mark("dead_letter", span.ended_ns, key, f"put aside as a dead letter: {reason}")
    if span.attributes.get(names.SPAN_DUPLICATE) is True:
        yield Mark("duplicate", span.started_ns, key, "delivered twice, skipped this time")


def _transition(event: EventRecord) -> str:
    name, before, after = (
        facts.text(event.attributes, each) for each in (names.NAME, names.FROM, names.TO)
    )
    return f"the breaker `{name}` went from {_word(before)} to {_word(after)}"


def _word(value: str) -> str:
    return value.replace("_", " ")
