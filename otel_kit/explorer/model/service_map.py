"""The service map: services and brokers, what passes between them, and what is wrong there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.explorer.model import facts, words
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.stuck import BROKEN
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    Quantiles,
    QueueRecord,
    SpanRecord,
)

NodeKind = Literal["service", "broker", "outside"]
MarkKind = Literal["breaker", "lag", "lost_context"]
REFUSALS: Final = frozenset({ErrorClass.CLIENT_ERROR, ErrorClass.BUSINESS, ErrorClass.CANCELLED})
"""The caller's mistake or wish, or the application's own no; every other class is a fault."""
_SENDING: Final = frozenset({"client", "producer"})


class EdgeKey(NamedTuple):
    """What tells edges apart."""

    client: str
    server: str
    transport: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something wrong, in a clause."""

    kind: MarkKind
    clause: str


@dataclass(frozen=True, slots=True)
class Node:
    """A service; a broker, which services only send to; or ``outside``: nobody known by name."""

    name: str
    kind: NodeKind
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """What passes from `client` to `server`.

    `rate` is calls a second, None where the source does not say over what time it counted.
    `errors` counts by class; shares are from 0 to 1.  `side` is who measured `duration`.
    """

    client: str
    server: str
    transport: str
    calls: int
    rate: float | None
    errors: Mapping[str, int]
    duration: Quantiles
    queue: Quantiles
    marks: tuple[Mark, ...] = ()
    side: str = ""

    @property
    def key(self) -> EdgeKey:
        """What tells it from others."""
        return EdgeKey(self.client, self.server, self.transport)

    @property
    def error_share(self) -> float:
        """Errors of any class in all calls."""
        return sum(self.errors.values()) / self.calls if self.calls else 0.0

    @property
    def refusal_share(self) -> float:
        """Errors that no repair of the callee would cure, in all calls."""
        refused = sum(many for said, many in self.errors.items() if said in REFUSALS)
        return refused / self.calls if self.calls else 0.0

    @property
    def fault_share(self) -> float:
        """What went wrong on the way or in the callee, in all calls."""
        return max(0.0, self.error_share - self.refusal_share)


@dataclass(frozen=True, slots=True)
class ServiceMap:
    """Nodes and edges by name."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """How often one saga passed an edge, first at `first_ns`, with how many errors."""

    client: str
    server: str
    first_ns: int
    times: int
    errors: int


def service_map(around: Surroundings, window_s: float | None = None) -> ServiceMap:
    """The map of what the metrics saw within `window_s`, None: since the services began."""
    rows = around.edges or ()
    edges = tuple(
        Edge(
            row.client, row.server, row.transport, row.calls,
            row.calls / window_s if window_s else None,
            row.errors, row.duration, row.queue, tuple(_edge_marks(row, around)), row.side,
        )
        for row in sorted(rows, key=lambda row: (row.client, row.server, row.transport))
    )  # fmt: skip
    kinds = _kinds(rows)
    queues = around.queues or ()
    nodes = tuple(
        Node(name, kind, tuple(_node_marks(name, kind, queues, kinds)))
        for name, kind in sorted(kinds.items())
    )
    return ServiceMap(nodes, edges)


def hurts_first(edges: Iterable[Edge]) -> list[Edge]:
    """By faults, then by marks, refusals and the slowest calls."""

    def pain(edge: Edge) -> tuple[float, int, float, float]:
        slowest = edge.duration.p99_s or 0.0
        return -edge.fault_share, -len(edge.marks), -edge.refusal_share, -slowest

    return sorted(edges, key=lambda edge: (*pain(edge), edge.key))


def path_over(story: Story) -> tuple[Passage, ...]:
    """The edges one saga passed, in the order it first did; a broker has no part in it."""
    found: dict[tuple[str, str], _Growing] = {}
    answered = story.answered()
    for key, span in story.spans.items():
        ends = _ends(story, span, key in answered)
        if ends is None:
            continue
        growing = found.setdefault(ends, _Growing(span.started_ns))
        growing.times += 1
        growing.errors += facts.failed(span)
    return tuple(Passage(*ends, g.first_ns, g.times, g.errors) for ends, g in found.items())


@dataclass(slots=True)
class _Growing:
    first_ns: int
    times: int = field(default=0)
    errors: int = field(default=0)


def _ends(story: Story, span: SpanRecord, answered: bool) -> tuple[str, str] | None:
    """Client and server of a hop: of its inbound span, or of an outbound one without answer."""
    if span.kind in facts.INBOUND:
        parent = story.parent(facts.key(span))
        client = parent.service if parent else facts.peer(span)
        return (client or names.UNKNOWN, span.service)
    if span.kind in facts.OUTBOUND and not answered:
        server = facts.peer(span) or facts.destination(span)
        return (span.service, server or names.UNKNOWN)
    return None


def _kinds(rows: Sequence[EdgeRecord]) -> dict[str, NodeKind]:
    """A server that only producers name is a broker."""
    kinds: dict[str, NodeKind] = {}
    services = {row.client for row in rows} | {
        row.server for row in rows if row.side not in _SENDING
    }
    for row in rows:
        kinds[row.client] = "outside" if row.client == names.UNKNOWN else "service"
    for row in rows:
        if row.server in services:
            kinds.setdefault(row.server, "service")
        else:
            kinds[row.server] = "broker" if row.side == "producer" else "outside"
    return kinds


def _edge_marks(row: EdgeRecord, around: Surroundings) -> Iterator[Mark]:
    for breaker in around.breakers or ():
        if (breaker.service, breaker.server) == (row.client, row.server):
            yield from _breaker(breaker)
    for lost in around.propagation or ():
        if (lost.client, lost.server, lost.transport) == (row.client, row.server, row.transport):
            yield from _lost(lost)


def _breaker(breaker: BreakerRecord) -> Iterator[Mark]:
    if breaker.state in BROKEN:
        word = breaker.state.replace("_", "-")
        yield Mark("breaker", f"the breaker `{breaker.name}` is {word}")


def _lost(row: PropagationRecord) -> Iterator[Mark]:
    if row.lost:
        where = f" on `{row.destination}`" if row.destination else ""
        yield Mark("lost_context", f"{words.share(row.rate)} arrive without context{where}")


def _node_marks(
    name: str, kind: NodeKind, queues: Sequence[QueueRecord], kinds: Mapping[str, NodeKind]
) -> Iterator[Mark]:
    """A backlog stands at the service its group is named after, else at the broker."""
    for queue in queues:
        waiting = queue.lag if queue.lag is not None else queue.depth
        at_broker = kind == "broker" and queue.transport == name and queue.group not in kinds
        if waiting and (queue.group == name or at_broker):
            clause = f"{words.count(waiting, 'message')} in `{queue.destination}`"
            if queue.lag_time_s:
                clause += f", the oldest {words.duration(queue.lag_time_s)} old"
            yield Mark("lag", clause)
