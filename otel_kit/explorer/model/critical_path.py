"""The critical path: which work, queue, network or back-off each moment of a saga went into.

Walked backwards from the end.  Inside a span the last child to end before now is what it waited
for; before a span's start, what caused it: the call, or the message in its queue.  The pieces
touch each other and add up to the saga's duration.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from otel_kit.explorer.model import facts, segments, waits
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.story import Story
from otel_kit.records import SpanRecord

Label = Literal["work", "queue", "network", "backoff", "gap"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of the path.  Within a service `client` and `server` are the same.

    ``gap`` is time of which nothing visible tells what it went into: the traces before and after
    are joined only by the saga's id.  `span` is the span whose time it is, of a queue or a gap the
    one that comes after it.  `presumed`: a context was lost here, and the sender is the likely one.
    """

    label: Label
    started_ns: int
    ended_ns: int
    span: SpanKey
    client: str
    server: str
    presumed: bool = False

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return (self.ended_ns - self.started_ns) / 1e9


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The pieces, from the start of the saga to its end."""

    pieces: tuple[Piece, ...]

    @property
    def by_label(self) -> Mapping[Label, int]:
        """Nanoseconds for each label; they add up to the saga's duration."""
        found: dict[Label, int] = {}
        for piece in self.pieces:
            found[piece.label] = found.get(piece.label, 0) + piece.ended_ns - piece.started_ns
        return found

    @property
    def by_edge(self) -> Mapping[tuple[str, str, Label], int]:
        """Nanoseconds for each (client, server, label), largest first; same total."""
        found: dict[tuple[str, str, Label], int] = {}
        for piece in self.pieces:
            edge = piece.client, piece.server, piece.label
            found[edge] = found.get(edge, 0) + piece.ended_ns - piece.started_ns
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def critical_path(story: Story) -> CriticalPath:
    """The path to the last end of a span; empty for a story without spans."""
    if not story.spans:
        return CriticalPath(())
    return CriticalPath(tuple(_Walk(story).walked()))


class _Walk:
    """From the end to the start; `_now` never grows, and no span is entered twice from above."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._now = story.ended_ns
        self._pieces: list[Piece] = []
        self._entered: set[SpanKey] = set()
        self._awaited: dict[SpanKey, list[SpanRecord]] = {}
        self._deliveries: dict[tuple[SpanKey, str, str], list[SpanRecord]] = {}
        self._ended_before = sorted(story.spans, key=lambda key: story.spans[key].ended_ns)
        self._ends = [story.spans[key].ended_ns for key in self._ended_before]
        self._senders = {gap.span: gap.sender for gap in story.gaps if gap.sender is not None}
        self._presumed = False

    def walked(self) -> list[Piece]:
        here: SpanRecord | None = self._story.spans[self._ended_before[-1]]
        came_from: SpanRecord | None = None
        while here is not None:
            self._entered.add(facts.key(here))
            child = self._last_awaited(here)
            if child is not None:
                self._own(here, child.ended_ns, child, came_from)
                here, came_from = child, None
            else:
                self._own(here, here.started_ns, None, came_from)
                here, came_from = self._cause(here), here
        self._pieces.reverse()
        return self._pieces

    # -- inside a span ------------------------------------------------------------------------

    def _last_awaited(self, span: SpanRecord) -> SpanRecord | None:
        """The child that ended last before now; what is sent to a queue is not awaited."""
        waiting = self._awaited.get(facts.key(span))
        if waiting is None:
            waiting = self._awaited[facts.key(span)] = self._children(span)
        while waiting:
            child = waiting.pop()
            if facts.key(child) in self._entered or child.started_ns > self._now:
                continue
            if child.ended_ns <= self._now or _clamped(span, child):
                return child
        return None

    def _children(self, span: SpanRecord) -> list[SpanRecord]:
        """By end; a message's handling and what only a link leads to go their own way."""
        key = facts.key(span)
        awaited = [
            child
            for child in self._story.below(key)
            if child.kind != "consumer" and self._story.parents[facts.key(child)].by == "parent"
        ]
        return sorted(awaited, key=lambda child: child.ended_ns)

    def _own(
        self,
        span: SpanRecord,
        until_ns: int,
        before: SpanRecord | None,
        after: SpanRecord | None,
    ) -> None:
        """The span's own time back to `until_ns`, between the children `before` and `after`."""
        until_ns = max(until_ns, span.started_ns)
        if until_ns >= self._now:
            return
        if before is not None and after is not None and facts.retries(after, before):
            self._piece("backoff", until_ns, span, span.service, span.service)
        elif span.kind == "client":
            hops = (hop for hop in (before, after) if hop is not None and hop.kind == "server")
            self._call(span, until_ns, next(hops, None))
        elif span.kind == "producer":
            to = after.service if after else facts.peer(span) or facts.destination(span)
            self._piece("network", until_ns, span, span.service, to)
        else:
            self._piece("work", until_ns, span, span.service, span.service)

    def _call(self, call: SpanRecord, until_ns: int, server: SpanRecord | None) -> None:
        """Of a call without its server in sight, the middle is the server's work."""
        if server is not None:
            return self._piece("network", until_ns, call, call.service, server.service)
        to = facts.peer(call) or call.service
        outside = segments.outside_server(self._story, call)
        if outside:
            (_, first), (last, _) = outside
            self._piece("network", max(last, until_ns), call, call.service, to)
            self._piece("work", max(first, until_ns), call, to, to)
            return self._piece("network", until_ns, call, call.service, to)
        return self._piece("work", until_ns, call, call.service, to)

    # -- before a span ------------------------------------------------------------------------

    def _cause(self, span: SpanRecord) -> SpanRecord | None:
        """What led to `span`, None at the start of the saga; takes the wait between along."""
        if self._now <= self._story.started_ns:
            return None
        parent = self._story.parent(facts.key(span))
        if parent is None:
            return self._presumed_cause(span)
        if (earlier := self._failed_delivery(span, parent)) is not None:
            self._piece("backoff", earlier.ended_ns, span, span.service, span.service)
            return earlier
        self._wait(span, parent)
        return parent

    def _failed_delivery(self, span: SpanRecord, parent: SpanRecord) -> SpanRecord | None:
        """The attempt before, of a message that is delivered again."""
        if span.kind != "consumer":
            return None
        delivery = (facts.key(parent), span.name, span.service)
        if delivery not in self._deliveries:
            self._deliveries[delivery] = [
                other
                for other in sorted(
                    self._story.below(facts.key(parent)), key=lambda each: each.ended_ns
                )
                if (other.kind, other.name, other.service) == ("consumer", *delivery[1:])
            ]
        while self._deliveries[delivery]:
            earlier = self._deliveries[delivery].pop()
            if facts.key(earlier) not in self._entered and earlier.ended_ns <= self._now:
                return earlier if facts.retries(span, earlier) else None
        return None

    def _wait(self, span: SpanRecord, parent: SpanRecord) -> None:
        """From the parent, or the sending, to the start of the span."""
        wait = waits.dwell(self._story, span) if span.kind == "consumer" else None
        if wait is not None and wait.sender is not None:
            self._piece("queue", wait.sent_ns, span, parent.service, span.service)
        label: Label = "network" if span.kind == "server" else "queue"
        self._piece(label, parent.ended_ns, span, parent.service, span.service)

    def _presumed_cause(self, span: SpanRecord) -> SpanRecord | None:
        """The hop whose context was lost, else what ended last, with a gap in between."""
        sender = self._senders.get(facts.key(span))
        dwell = waits.dwell(self._story, span) if span.kind == "consumer" else None
        if sender is not None and sender not in self._entered:
            return self._from_sender(span, self._story.spans[sender], dwell)
        if dwell is not None:
            self._piece("queue", dwell.sent_ns, span, facts.peer(span), span.service)
        earlier = self._last_ended()
        if earlier is not None:
            self._piece("gap", earlier.ended_ns, span, earlier.service, span.service)
            return earlier
        return self._first(span)

    def _from_sender(
        self, span: SpanRecord, sent: SpanRecord, dwell: waits.Dwell | None
    ) -> SpanRecord:
        label: Label = "queue" if span.kind == "consumer" else "network"
        since = sent.ended_ns if dwell is None else max(dwell.sent_ns, sent.started_ns)
        self._presumed = True
        self._piece(label, since, span, sent.service, span.service)
        self._presumed = False
        return sent

    def _last_ended(self) -> SpanRecord | None:
        """The span that ended last, not after now, of those not on the path yet."""
        place = bisect_right(self._ends, self._now)
        del self._ended_before[place:], self._ends[place:]
        while self._ended_before:
            key = self._ended_before.pop()
            self._ends.pop()
            if key not in self._entered:
                return self._story.spans[key]
        return None

    def _first(self, span: SpanRecord) -> SpanRecord | None:
        """Nothing had ended: all the time since the start is the first span's, or unknown."""
        first = next(iter(self._story.spans.values()))
        if facts.key(first) not in self._entered and first.started_ns < self._now:
            return first
        self._piece("gap", self._story.started_ns, span, first.service, span.service)
        return None

    def _piece(
        self, label: Label, since_ns: int, span: SpanRecord, client: str, server: str
    ) -> None:
        """From now back to `since_ns`."""
        since_ns = max(since_ns, self._story.started_ns)
        if since_ns < self._now:
            key = facts.key(span)
            self._pieces.append(
                Piece(label, since_ns, self._now, key, client, server, self._presumed)
            )
            self._now = since_ns


def _clamped(parent: SpanRecord, child: SpanRecord) -> bool:
    """A server that seems to end after its call, by its clock or a timeout, was still awaited."""
    return parent.kind == "client" and child.kind == "server"
