"""The steps of a saga: from step spans, and from the events that say a step has started.

A step span is sent when it has ended; the event ``saga.step.started`` says at once that it began.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from otel_kit import names
from otel_kit.explorer.model import facts
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.story import Story
from otel_kit.records import Attributes, LogRecord, SpanRecord, StepRecord
from otel_kit.step_rules import grouped

StepKind = Literal["action", "compensation"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step with all of its attempts.

    `number` tells apart repetitions of a step that had succeeded, from 1.  `attempts` counts its
    spans and the attempts of retried calls within them beyond the first.  `ended_ns` is None while
    it is `open`.  `error` is the class of the last attempt's error, empty on success, and `reason`
    its words.  `compensates` names an action and is empty for one.
    """

    name: str
    kind: StepKind
    service: str
    started_ns: int
    ended_ns: int | None
    attempts: int
    error: str
    reason: str
    open: bool
    compensates: str = ""
    number: int = 1
    spans: tuple[SpanKey, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Ended, and without an error."""
        return not self.open and not self.error

    @property
    def repeats(self) -> int:
        """How often the step itself was begun again, whatever was retried within it."""
        return len(self.spans) + self.open - 1

    @property
    def row(self) -> StepRecord:
        """What a list of sagas shows of it."""
        result = "open" if self.open else "error" if self.error else "ok"
        return StepRecord(self.name, self.kind, self.started_ns, self.ended_ns, result)

    @property
    def duration_s(self) -> float | None:
        """Seconds from the first attempt's start to the last one's end, None while open."""
        return None if self.ended_ns is None else max(0, self.ended_ns - self.started_ns) / 1e9


@dataclass(slots=True)
class _Attempt:
    """One begin of a step: `span` is None if no end of it is known."""

    name: str
    kind: StepKind
    compensates: str
    service: str
    started_ns: int
    span: SpanRecord | None

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.name, self.kind, self.compensates

    @property
    def ended_ns(self) -> int | None:
        return None if self.span is None else self.span.ended_ns

    @property
    def failed(self) -> bool:
        return self.span is not None and facts.failed(self.span)


def steps(story: Story) -> tuple[Step, ...]:
    """The steps of the saga, by start."""
    repeated: Counter[tuple[str, str, str]] = Counter()
    found = []
    for attempts in grouped(_attempts(story)):
        repeated[attempts[0].identity] += 1
        found.append(_step(story, attempts, repeated[attempts[0].identity]))
    return tuple(found)


def step_of(span: SpanRecord, saga_id: str) -> tuple[str, StepKind, str] | None:
    """Name, kind and what it compensates, of a step span of the saga; None for any other."""
    return _identity(span.attributes) if facts.is_of(span, saga_id) else None


def _attempts(story: Story) -> Iterator[_Attempt]:
    ended = [
        _Attempt(*identity, span.service, span.started_ns, span)
        for span in story.spans.values()
        if (identity := step_of(span, story.saga.id)) is not None
    ]
    yield from ended
    yield from _open(story, ended)


def _open(story: Story, ended: Iterable[_Attempt]) -> Iterator[_Attempt]:
    """Starts without a span of their own, nor, for events that name none, one around them."""
    spans: dict[tuple[str, str, str], list[SpanRecord]] = {}
    for attempt in ended:
        if attempt.span is not None:
            spans.setdefault(attempt.identity, []).append(attempt.span)
    for log in story.logs:
        identity = _identity(log.attributes) if _is_start(log, story.saga.id) else None
        if identity is None or (log.trace_id, log.span_id) in story.spans:
            continue
        if not log.span_id and any(_around(span, log) for span in spans.get(identity, ())):
            continue
        yield _Attempt(*identity, log.service, log.time_ns, None)


def _is_start(log: LogRecord, saga_id: str) -> bool:
    named = facts.text(log.attributes, names.SAGA_ID)
    return log.event_name == names.EVENT_STEP_STARTED and named in ("", saga_id)


def _around(span: SpanRecord, log: LogRecord) -> bool:
    return span.service == log.service and span.started_ns <= log.time_ns <= span.ended_ns


def _identity(attributes: Attributes) -> tuple[str, StepKind, str] | None:
    name = facts.text(attributes, names.SAGA_STEP)
    kind = facts.text(attributes, names.SAGA_STEP_KIND)
    if not name or kind not in ("action", "compensation"):
        return None
    if kind == "action":
        return name, "action", ""
    return name, "compensation", facts.text(attributes, names.SAGA_COMPENSATES)


def _step(story: Story, attempts: Sequence[_Attempt], number: int) -> Step:
    first, last = attempts[0], attempts[-1]
    spans = [attempt.span for attempt in attempts if attempt.span is not None]
    ended = last.span
    return Step(
        name=first.name,
        kind=first.kind,
        service=last.service,
        started_ns=first.started_ns,
        ended_ns=None if ended is None else ended.ended_ns,
        attempts=len(attempts) + sum(_retries_within(story, span) for span in spans),
        error="" if ended is None or not facts.failed(ended) else facts.error_class(ended),
        reason="" if ended is None or not facts.failed(ended) else facts.reason(ended),
        open=ended is None,
        compensates=first.compensates,
        number=number,
        spans=tuple(facts.key(span) for span in spans),
    )


def _retries_within(story: Story, span: SpanRecord) -> int:
    """Attempts after the first of retried calls below, not counting those in steps below."""
    count, waiting = 0, list(story.children.get(facts.key(span), ()))
    while waiting:
        key = waiting.pop()
        below = story.spans[key]
        if step_of(below, story.saga.id) is None:
            count += (facts.attempt(below) or 1) > 1
            waiting.extend(story.children.get(key, ()))
    return count
