"""The state of a saga: what it was told, else what its steps show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from otel_kit import names
from otel_kit.explorer.model import facts
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.steps import Step
from otel_kit.explorer.model.story import Story

Outcome = Literal["completed", "compensated", "partially_compensated", "failed"]
State = Literal[
    "running",
    "stuck",
    "compensating",
    "completed",
    "compensated",
    "partially_compensated",
    "failed",
]
STATES: Final[tuple[State, ...]] = get_args(State)
STUCK_AFTER_S: Final = 60.0
"""Seconds of silence after which a saga in progress counts as stuck."""


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome that a service told, when (nanoseconds) and on which span."""

    outcome: Outcome
    at_ns: int
    span: SpanKey


def told(story: Story) -> Told | None:
    """The latest outcome told, None while there is none."""
    return max(_told(story), key=lambda found: found.at_ns, default=None)


def state(
    story: Story, found: Sequence[Step], now_ns: int, stuck_after_s: float = STUCK_AFTER_S
) -> State:
    """An outcome rules, then a compensation; else silence for `stuck_after_s` is stuck."""
    outcome = told(story)
    if outcome is not None:
        return outcome.outcome
    if any(step.kind == "compensation" for step in found):
        return "compensating"
    return "stuck" if now_ns - last_active_ns(story) > stuck_after_s * 1e9 else "running"


def last_active_ns(story: Story) -> int:
    """When a span ended or a log record was written last."""
    return max([story.ended_ns, *(log.time_ns for log in story.logs)])


def _told(story: Story) -> Iterator[Told]:
    for key, span in story.spans.items():
        said = facts.text(span.attributes, names.SAGA_OUTCOME)
        if facts.text(span.attributes, names.SAGA_ID) == story.saga.id:
            yield from _valid(said, span.ended_ns, key)
        for event in span.events:
            if (
                event.name == names.EVENT_SAGA_FINISHED
                and facts.text(event.attributes, names.SAGA_ID) == story.saga.id
            ):
                said = facts.text(event.attributes, names.SAGA_OUTCOME)
                yield from _valid(said, min(event.time_ns, span.ended_ns), key)


def _valid(said: str, at_ns: int, key: SpanKey) -> Iterator[Told]:
    if said in get_args(Outcome):
        yield Told(cast(Outcome, said), at_ns, key)
