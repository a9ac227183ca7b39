"""What an unfinished saga waits for: since when, for how long as a rule, and why in vain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.explorer.model import facts, state, words
from otel_kit.explorer.model.quantiles import Spread
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.steps import Step
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.usual import FINISH, Usual
from otel_kit.records import BreakerRecord, QueueRecord, SpanRecord

AwaitedKind = Literal["step", "message", "next"]
ReasonKind = Literal["dead_letter", "breaker", "no_consumer", "lag", "lost_context"]

BROKEN: Final = ("open", "half_open")
"""States of a breaker that refuses calls, all or most."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A likely cause, in a clause: ``the breaker `bank` is open``."""

    kind: ReasonKind
    clause: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """What the saga waits for.

    ``step``: a step begun and not ended; ``message``: one sent and not handled, `name` is its
    queue; ``next``: nothing visible is under way, `name` is the step that usually follows (`FINISH`
    for the end).  `usual` is how long this takes in other sagas, None if nothing is known.
    `overdue`: longer than 99 % of them; None if nothing is known.
    """

    kind: AwaitedKind
    name: str
    service: str
    since_ns: int
    waited_s: float
    usual: Spread | None
    overdue: bool | None
    reasons: tuple[Reason, ...]


def awaited(
    story: Story,
    found: Sequence[Step],
    now_ns: int,
    usual: Usual | None = None,
    around: Surroundings | None = None,
) -> Awaited | None:
    """What an unfinished saga waits for; None for one that has told its outcome."""
    if state.told(story) is not None:
        return None
    kind, name, service, since, spread = _what(story, found, usual)
    around = around or Surroundings()
    if kind == "message" and not service:
        service = _consumer(name, around.queues or ())
    waited = max(0, now_ns - since) / 1e9
    reasons = tuple(_reasons(story, kind, name, service, around))
    overdue = None if spread is None else waited > spread.p99_s
    return Awaited(kind, name, service, since, waited, spread, overdue, reasons)


def _consumer(queue: str, rows: Sequence[QueueRecord]) -> str:
    """The group that consumes the queue, if it is the only one."""
    groups = {row.group for row in rows if row.destination == queue and row.group}
    return groups.pop() if len(groups) == 1 else ""


_What = tuple[AwaitedKind, str, str, int, Spread | None]


def _what(story: Story, found: Sequence[Step], usual: Usual | None) -> _What:
    """The latest that is open: a step begun, else a message underway, else what usually follows."""
    begun = [step for step in found if step.open]
    if begun:
        step = max(begun, key=lambda step: step.started_ns)
        spread = usual.durations.get(step.name) if usual else None
        return "step", step.name, step.service, step.started_ns, spread
    message = _underway(story, found, usual)
    if message is not None:
        queue = facts.destination(message)
        service = usual.consumers.get(queue, "") if usual else ""
        spread = usual.queues.get(queue) if usual else None
        return "message", queue, service, message.ended_ns, spread
    return _next(story, found, usual)


def _underway(story: Story, found: Sequence[Step], usual: Usual | None) -> SpanRecord | None:
    """The last message that nobody handled, unless a step has begun since.

    A queue that is never handled within such sagas is no reason to wait, nor is a message that was
    never sent: its transaction was rolled back.
    """
    answered = story.answered()
    since = max((step.started_ns for step in found), default=0)
    sent = [
        span
        for key, span in story.spans.items()
        if span.kind == "producer" and key not in answered and span.ended_ns >= since
        if facts.error_class(span) != ErrorClass.CANCELLED
        if usual is None or not usual.sagas or facts.destination(span) in usual.queues
    ]
    return max(sent, key=lambda span: span.started_ns, default=None)


def _next(story: Story, found: Sequence[Step], usual: Usual | None) -> _What:
    last = max(found, key=lambda step: step.started_ns, default=None)
    since = state.last_active_ns(story)
    if last is not None and last.ended_ns is not None:
        since = max(last.ended_ns, last.started_ns)
    after = usual.following.get(last.name if last else FINISH, ()) if usual else ()
    if not after:
        return "next", FINISH, "", since, None
    likely = after[0]
    service = usual.services.get(likely.step, "") if usual else ""
    return "next", likely.step, service, since, likely.wait


# -- why -------------------------------------------------------------------------------------------


def _reasons(
    story: Story, kind: AwaitedKind, name: str, service: str, around: Surroundings
) -> Iterator[Reason]:
    """The most telling first."""
    yield from _dead_letters(story)
    if kind == "message":
        yield from _queues(name, kind, around.queues)
    yield from _breakers(service, around.breakers or ())
    if kind != "message" and (queue := _queue_of(story, service)):
        yield from _queues(queue, kind, around.queues)
    for gap in story.gaps:
        if gap.kind == "lost_context":
            yield Reason("lost_context", f"{gap.sentence}, so what followed may be out of sight")


def _dead_letters(story: Story) -> Iterator[Reason]:
    for span in story.spans.values():
        if said := facts.text(span.attributes, names.SPAN_DEAD_LETTER):
            queue = facts.destination(span) or span.name
            yield Reason("dead_letter", f"{span.service} put a message of `{queue}` aside ({said})")


def _breakers(service: str, breakers: Sequence[BreakerRecord]) -> Iterator[Reason]:
    """Those of the service that is waited for, if they do not let all calls pass."""
    for breaker in breakers:
        if breaker.service == service and breaker.state in BROKEN:
            word = breaker.state.replace("_", "-")
            yield Reason("breaker", f"the breaker `{breaker.name}` of {breaker.service} is {word}")


def _queue_of(story: Story, service: str) -> str:
    """The queue that last brought a message to the service."""
    queues = [
        facts.destination(span)
        for span in story.spans.values()
        if span.kind == "consumer" and span.service == service
    ]
    return queues[-1] if queues else ""


def _queues(queue: str, kind: AwaitedKind, rows: Sequence[QueueRecord] | None) -> Iterator[Reason]:
    if rows is None:
        return
    mine = [row for row in rows if row.destination == queue]
    if kind == "message" and not any(row.group for row in mine):
        yield Reason("no_consumer", f"nobody is known to consume `{queue}`")
    for row in mine:
        waiting = row.lag if row.lag is not None else row.depth
        if waiting and waiting > 0:
            yield Reason("lag", _lag(row, waiting))
        elif kind == "message" and row.group and waiting is None:
            yield Reason(
                "no_consumer",
                f"{row.group} does not report how far it is in `{queue}`: it may be gone",
            )


def _lag(row: QueueRecord, waiting: float) -> str:
    verb = "waits" if waiting == 1 else "wait"
    clause = f"{words.count(waiting, 'message')} {verb} in `{row.destination}`"
    if row.group:
        clause += f" for {row.group}"
    if row.lag_time_s:
        clause += f", the oldest for {words.duration(row.lag_time_s)}"
    return clause
