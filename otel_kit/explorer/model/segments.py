"""The timeline: every bar of a saga, by what the time went into."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from otel_kit.explorer.model import facts, waits
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.steps import Step
from otel_kit.explorer.model.story import Story
from otel_kit.records import SpanRecord

SegmentKind = Literal["work", "queue", "network", "backoff", "rejected", "open"]
_BREAKER_OPEN = "breaker_open"


@dataclass(frozen=True, slots=True)
class Segment:
    """One bar.  `row` is the service, `step` the step it belongs to (empty outside of any).

    ``work`` is a span in its service; ``queue`` a message's wait; ``network`` the part of a call
    that its server does not account for; ``backoff`` the wait before a further attempt;
    ``rejected`` a call that a breaker refused; ``open`` a step begun and not ended.  `span` is
    None for an open step.  `client` is the other side of a queue or a network segment.
    """

    kind: SegmentKind
    row: str
    step: str
    label: str
    started_ns: int
    ended_ns: int
    span: SpanKey | None
    error: str = ""
    compensation: bool = False
    client: str = ""


def segments(story: Story, found: Sequence[Step], now_ns: int) -> tuple[Segment, ...]:
    """All bars, by start; those of open steps last until `now_ns`."""
    inside = _steps_of_spans(story, found)
    bars = [
        bar for span in story.spans.values() for bar in _of_span(story, span, inside)
    ]  # fmt: skip
    bars += [_open(step, now_ns) for step in found if step.open]
    return tuple(sorted(bars, key=lambda bar: (bar.started_ns, bar.ended_ns)))


_Inside = dict[SpanKey, Step]


def _steps_of_spans(story: Story, found: Sequence[Step]) -> _Inside:
    """The innermost step each span is within, in the same service."""
    inside = {key: step for step in found for key in step.spans}
    waiting = list(story.roots)
    while waiting:
        key = waiting.pop()
        for below in story.children.get(key, ()):
            waiting.append(below)
            same = story.spans[below].service == story.spans[key].service
            if below not in inside and key in inside and same:
                inside[below] = inside[key]
    return inside


def _of_span(story: Story, span: SpanRecord, inside: _Inside) -> Iterator[Segment]:
    step = inside.get(facts.key(span))
    if span.kind == "client" and (hops := list(_network(story, span, step))):
        yield from hops
    elif span.kind == "producer":
        yield _bar("network", span, step, span.name, client=facts.destination(span))
    else:
        refused = facts.error_class(span) == _BREAKER_OPEN and not story.children.get(
            facts.key(span)
        )
        yield _bar("rejected" if refused else "work", span, step, span.name)
    if span.kind == "consumer":
        yield from _queue(story, span, step)
    yield from _backoffs(story.below(facts.key(span)), inside)


def _bar(
    kind: SegmentKind,
    span: SpanRecord,
    step: Step | None,
    label: str,
    within: tuple[int, int] | None = None,
    client: str = "",
) -> Segment:
    started, ended = within or (span.started_ns, span.ended_ns)
    return Segment(
        kind, span.service, step.name if step else "", label, started, ended, facts.key(span),
        facts.error_class(span), bool(step and step.kind == "compensation"), client,
    )  # fmt: skip


def _network(story: Story, call: SpanRecord, step: Step | None) -> Iterator[Segment]:
    """The ends of a call that its server does not fill; nothing if nobody knows the server's."""
    for within in outside_server(story, call):
        yield _bar("network", call, step, call.name, within, facts.peer(call))


def outside_server(story: Story, call: SpanRecord) -> list[tuple[int, int]]:
    """The stretches of a CLIENT span before and after its server's time, empty if unknown.

    Where only the server's duration is known, it is taken to lie in the middle.  A call that took
    several requests, as the delivery of a webhook may, is the server's from first to last.
    """
    servers = [span for span in story.below(facts.key(call)) if span.kind == "server"]
    if servers:
        first = min(server.started_ns for server in servers)
        last = max(server.ended_ns for server in servers)
    elif (took := waits.server_time_ns(call)) is not None:
        first = call.started_ns + (call.ended_ns - call.started_ns - took) // 2
        last = first + took
    else:
        return []
    first = min(max(first, call.started_ns), call.ended_ns)
    last = min(max(last, first), call.ended_ns)
    return [(call.started_ns, first), (last, call.ended_ns)]


def _queue(story: Story, consumer: SpanRecord, step: Step | None) -> Iterator[Segment]:
    wait = waits.dwell(story, consumer)
    if wait is not None and wait.taken_ns > wait.sent_ns:
        label = facts.destination(consumer) or consumer.name
        client = wait.sender.service if wait.sender else facts.peer(consumer)
        yield _bar("queue", consumer, step, label, (wait.sent_ns, wait.taken_ns), client)


def _backoffs(siblings: Iterable[SpanRecord], inside: _Inside) -> Iterator[Segment]:
    """Between an attempt that failed and the next, of the same name, under one parent."""
    latest: dict[tuple[str, str], SpanRecord] = {}
    for span in siblings:
        earlier = latest.get((span.name, span.kind))
        if earlier and facts.retries(span, earlier) and earlier.ended_ns < span.started_ns:
            within = (earlier.ended_ns, span.started_ns)
            yield _bar("backoff", span, inside.get(facts.key(span)), span.name, within)
        latest[span.name, span.kind] = span


def _open(step: Step, now_ns: int) -> Segment:
    last = max(now_ns, step.started_ns)
    undoing = step.kind == "compensation"
    return Segment(
        "open", step.service, step.name, step.name, step.started_ns, last, None, "", undoing
    )
