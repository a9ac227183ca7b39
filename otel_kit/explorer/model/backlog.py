"""Queues over the time that one looks: do they grow, when will they be empty, is anybody there?"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from otel_kit.records import EdgeRecord, PropagationRecord, Quantiles, QueueRecord

State = Literal["consumer gone", "stands still", "grows", "drains", "waiting", "empty", "unknown"]
STATES: Final[tuple[State, ...]] = (
    "consumer gone", "stands still", "grows", "waiting", "drains", "unknown", "empty"
)  # fmt: skip
"""The worst first."""
KEPT_S: Final = 600.0
"""Readings are kept this long."""
PACE_S: Final = 180.0
"""The present pace is that of the readings of this long."""
_STILL_S: Final = 90.0
"""Services report every 60 s by default: only after that does no change mean that nothing moves."""

_TREND: Final = 5.0
"""Messages: less growth or shrinkage is the coming and going of a healthy queue."""


class QueueKey(NamedTuple):
    """What tells queues apart, with the group of consumers."""

    transport: str
    destination: str
    group: str


class Reading(NamedTuple):
    """How many messages waited at a time, and how many had been handled until then."""

    time_ns: int
    waiting: float
    consumed: int


@dataclass(frozen=True, slots=True)
class Pace:
    """`change` is messages a second, positive where the queue grows; `drain_s` None if it does.

    `over_s` is how long it was watched for that.
    """

    change: float
    drain_s: float | None
    over_s: float


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as a reader wants it; the worst of its `consumers` is what `handling` shows."""

    row: QueueRecord
    state: State
    pace: Pace | None
    consumers: tuple[str, ...]
    handling: Quantiles

    @property
    def key(self) -> QueueKey:
        """What tells it from others."""
        return key(self.row)


@dataclass(slots=True)
class Readings:
    """What was read of every queue while somebody looked, at most `KEPT_S` back."""

    of: dict[QueueKey, deque[Reading]] = field(default_factory=dict)

    def add(self, rows: Iterable[QueueRecord], now_ns: int) -> None:
        """Remember what `rows` say now; what was read twice at one time counts once."""
        for row in rows:
            many = waiting(row)
            kept = self.of.setdefault(key(row), deque())
            if many is not None and (not kept or kept[-1].time_ns < now_ns):
                kept.append(Reading(now_ns, many, row.consumed))
        for name, kept in list(self.of.items()):
            while kept and kept[0].time_ns < now_ns - KEPT_S * 1e9:
                kept.popleft()
            if not kept:
                del self.of[name]


def key(row: QueueRecord) -> QueueKey:
    """What tells the queue from others."""
    return QueueKey(row.transport, row.destination, row.group)


def waiting(row: QueueRecord) -> float | None:
    """Messages not yet handled: by the consumers' word, else by the queue's own."""
    return row.lag if row.lag is not None else row.depth


def queues(
    rows: Sequence[QueueRecord],
    edges: Sequence[EdgeRecord],
    hops: Sequence[PropagationRecord],
    readings: Mapping[QueueKey, Sequence[Reading]],
) -> list[Queue]:
    """Every queue with its consumers, what hurts first."""
    found = [_queue(row, edges, hops, readings.get(key(row), ())) for row in rows]
    return sorted(found, key=_pain)


def pace(readings: Sequence[Reading]) -> Pace | None:
    """How fast the queue grows or shrinks (least squares); None before the second reading."""
    recent = [each for each in readings if each.time_ns >= readings[-1].time_ns - PACE_S * 1e9]
    if len(recent) < 2:
        return None
    seconds = [(each.time_ns - recent[0].time_ns) / 1e9 for each in recent]
    mean_s = sum(seconds) / len(recent)
    mean = sum(each.waiting for each in recent) / len(recent)
    spread = sum((at - mean_s) ** 2 for at in seconds)
    change = sum(
        (at - mean_s) * (each.waiting - mean) for at, each in zip(seconds, recent, strict=True)
    )
    change /= spread
    left = recent[-1].waiting
    return Pace(change, left / -change if left and change < 0 else None, seconds[-1])


# -- one queue -------------------------------------------------------------------------------------


def _queue(
    row: QueueRecord,
    edges: Sequence[EdgeRecord],
    hops: Sequence[PropagationRecord],
    readings: Sequence[Reading],
) -> Queue:
    consumers = tuple(sorted(_consumers(row, hops)))
    measured = pace(readings)
    handling = [
        edge.duration
        for edge in edges
        if edge.side == "consumer" and edge.transport == row.transport and edge.server in consumers
    ]
    slowest = max(handling, key=lambda each: each.p95_s or 0.0, default=Quantiles())
    return Queue(row, _state(row, readings, measured), measured, consumers, slowest)


def _consumers(row: QueueRecord, hops: Sequence[PropagationRecord]) -> Iterator[str]:
    """Services that handle messages of it; of those the one that its group is named after."""
    here = {
        hop.server
        for hop in hops
        if (hop.transport, hop.destination) == (row.transport, row.destination)
    }
    yield from here & {row.group} or here


def _state(row: QueueRecord, readings: Sequence[Reading], measured: Pace | None) -> State:
    many = waiting(row)
    if many is None:
        return "consumer gone" if row.group and row.consumed else "unknown"
    if not many:
        return "empty"
    if _stands_still(readings):
        return "stands still"
    if measured is None or abs(measured.change) * measured.over_s < _TREND:
        return "waiting"
    return "grows" if measured.change > 0 else "drains"


def _stands_still(readings: Sequence[Reading]) -> bool:
    """Nothing was handled for longer than a report takes, though there was something to do."""
    since = last = readings[-1] if readings else Reading(0, 0, 0)
    for each in reversed(readings):
        if not each.waiting or each.consumed < last.consumed:
            break
        since = each
    return last.time_ns - since.time_ns >= _STILL_S * 1e9


def _pain(queue: Queue) -> tuple[int, float, float, QueueKey]:
    oldest, many = queue.row.lag_time_s or 0.0, waiting(queue.row) or 0.0
    return STATES.index(queue.state), -oldest, -many, queue.key
