"""One saga on one axis: what `stitch` makes of its traces, and everything else reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from otel_kit.explorer.model.facts import SpanKey
from otel_kit.records import LogRecord, SagaRecord, SpanRecord

JoinedBy = Literal["first", "parent", "link", "id", "unknown"]
GapKind = Literal["missing_parent", "lost_context", "cycle", "duplicate"]


@dataclass(frozen=True, slots=True)
class Parent:
    """A span's place in the tree: below `key`, because its parent id or a link of it says so."""

    key: SpanKey
    by: Literal["parent", "link"]


@dataclass(frozen=True, slots=True)
class Joint:
    """What makes a trace part of the saga.

    ``parent``: a span's parent is in another of its traces; ``link``: a link leads there; ``id``:
    only the saga's id; ``first``: it is where the saga begins; ``unknown``: nothing visible.
    """

    trace_id: str
    by: JoinedBy


@dataclass(frozen=True, slots=True)
class Gap:
    """Something missing, said in a sentence.

    `span` is where it shows.  Of a lost context, `client` and `server` name the hop, as far as
    known, and `sender` is the span that must have sent it: the last hop to there left unanswered.
    """

    kind: GapKind
    span: SpanKey
    sentence: str
    client: str = ""
    server: str = ""
    sender: SpanKey | None = None


@dataclass(frozen=True, slots=True)
class Skew:
    """The clock of `service` is behind that of `against` by at least `seconds`.

    Seen on `spans` spans that seem to begin before what caused them.
    """

    service: str
    against: str
    seconds: float
    spans: int


@dataclass(frozen=True, slots=True)
class Story:
    """A saga's spans as one forest on one axis.

    `spans` and each of `children` are by start; `roots` have no parent that is known.  `skews` is
    what was measured; the times are corrected if that was asked for.
    """

    saga: SagaRecord
    spans: Mapping[SpanKey, SpanRecord]
    parents: Mapping[SpanKey, Parent]
    children: Mapping[SpanKey, Sequence[SpanKey]]
    roots: Sequence[SpanKey]
    joints: Sequence[Joint]
    gaps: Sequence[Gap]
    skews: Sequence[Skew]
    logs: Sequence[LogRecord]
    truncated: bool
    started_ns: int
    ended_ns: int

    @property
    def duration_ns(self) -> int:
        """From the first start to the last end of a span, nanoseconds."""
        return self.ended_ns - self.started_ns

    def parent(self, key: SpanKey) -> SpanRecord | None:
        """The span above, None for a root."""
        found = self.parents.get(key)
        return None if found is None else self.spans[found.key]

    def below(self, key: SpanKey) -> Iterator[SpanRecord]:
        """The direct children, by start."""
        return (self.spans[child] for child in self.children.get(key, ()))

    def subtree(self, key: SpanKey) -> Iterator[SpanKey]:
        """`key` and all below it."""
        waiting = [key]
        while waiting:
            here = waiting.pop()
            yield here
            waiting.extend(self.children.get(here, ()))

    def answered(self) -> set[SpanKey]:
        """The hops out that a hop in continues, as its parent or by a link."""
        found = set()
        for key, span in self.spans.items():
            if span.kind in ("server", "consumer"):
                if (above := self.parents.get(key)) is not None:
                    found.add(above.key)
                found.update((link.trace_id, link.span_id) for link in span.links)
        return found
