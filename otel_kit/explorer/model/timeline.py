"""The timeline as it is drawn: rows by service and step, lanes within a row, bars within a lane.

However large a saga is, there are at most `MAX_BARS` bars: neighbours too narrow to be seen become
one that stands for all of them.  A narrower window shows more of each.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from otel_kit.explorer.model.critical_path import Label, Piece
from otel_kit.explorer.model.segments import Segment, SegmentKind

Window: TypeAlias = tuple[int, int]
"""From and to, nanoseconds since the epoch."""

WIDTH_PX: Final = 1200
"""The axis that a window is drawn on is about this wide."""
MAX_BARS: Final = 1500
MAX_ROWS: Final = 100
"""What would be in further rows is in one more."""
_MOST_JOINED: Final = 4
"""A bar of narrow ones is at most so many times as long as what is too narrow."""
_WAITS: Final = ("queue", "backoff")
MAX_LANES: Final = 8
"""In one row; what overlaps more than that is merged in the last one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One or more segments of a row, from the first start to the last end; `kind` has most time."""

    kind: SegmentKind
    started_ns: int
    ended_ns: int
    segments: tuple[Segment, ...]

    @property
    def longest(self) -> Segment:
        """The segment to speak of first."""
        return max(self.segments, key=_duration)

    @property
    def errors(self) -> int:
        """How many of the segments failed; waiting for something that fails later is no failure."""
        return sum(bool(segment.error) and segment.kind not in _WAITS for segment in self.segments)

    @property
    def density(self) -> float:
        """The share of its time that the segments fill, from 0 to 1."""
        length = self.ended_ns - self.started_ns
        return min(1.0, sum(map(_duration, self.segments)) / length) if length else 1.0

    @property
    def compensation(self) -> bool:
        """Whether it has to do with undoing."""
        return any(segment.compensation for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Row:
    """A service (`step` is empty: outside of any step), or a step of it.

    In no lane do two bars overlap.  `gathered` is 0, or how many rows' segments this one holds.
    """

    service: str
    step: str
    lanes: tuple[tuple[Bar, ...], ...]
    gathered: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring pieces of the critical path; `label` has most of their time."""

    label: Label
    started_ns: int
    ended_ns: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened in a window, `rows` by first appearance of their service, then of their step.

    `path` is the critical path; its stretches touch each other.
    """

    window: Window
    rows: tuple[Row, ...]
    path: tuple[Stretch, ...] = ()

    @property
    def bars(self) -> Iterator[Bar]:
        """All of them."""
        return (bar for row in self.rows for lane in row.lanes for bar in lane)


def extent(segments: Sequence[Segment], started_ns: int, ended_ns: int) -> Window:
    """The window that shows a whole saga, which lasts from `started_ns` to `ended_ns`, and more."""
    first = min((segment.started_ns for segment in segments), default=started_ns)
    last = max((segment.ended_ns for segment in segments), default=ended_ns)
    return min(first, started_ns), max(last, ended_ns, min(first, started_ns) + 1)


def timeline(segments: Sequence[Segment], window: Window, pieces: Sequence[Piece] = ()) -> Timeline:
    """Rows, lanes and bars of the `segments`, by start, that a window shows."""
    packed = [
        (service, step, gathered, _packed(within))
        for service, step, gathered, within in _rows(segments, window)
    ]
    narrow_ns = _narrow(window)
    lanes = [lane for *_, found in packed for lane in found]
    while (many := sum(_count(lane, narrow_ns) for lane in lanes)) > MAX_BARS:
        narrow_ns *= max(1.2, many / MAX_BARS)
    rows = (
        Row(service, step, tuple(_bars(lane, narrow_ns) for lane in found), gathered)
        for service, step, gathered, found in packed
    )
    return Timeline(window, tuple(rows), _path(pieces, window))


def _narrow(window: Window) -> float:
    """Nanoseconds of a pixel."""
    return max(1.0, (window[1] - window[0]) / WIDTH_PX)


def _shown(stretch: "Segment | Piece", window: Window) -> bool:
    return stretch.started_ns <= window[1] and stretch.ended_ns >= window[0]


def _duration(stretch: "Segment | Piece") -> int:
    return stretch.ended_ns - stretch.started_ns


# -- rows ------------------------------------------------------------------------------------------

_RowOf: TypeAlias = tuple[str, str, int, list[Segment]]


def _rows(segments: Sequence[Segment], window: Window) -> list[_RowOf]:
    """Service, step, rows gathered, segments; a row keeps its place in whatever window."""
    services: dict[str, dict[str, list[Segment]]] = {}
    for segment in segments:
        within = services.setdefault(segment.row, {"": []}).setdefault(segment.step, [])
        if _shown(segment, window):
            within.append(segment)
    found: list[_RowOf] = [
        (service, step, 0, within)
        for service, steps in services.items()
        for step, within in steps.items()
        if within
    ]
    if len(found) <= MAX_ROWS:
        return found
    rest = found[MAX_ROWS:]
    gathered = [segment for *_, within in rest for segment in within]
    return [*found[:MAX_ROWS], ("", "", len(rest), gathered)]


# -- lanes -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Group:
    """Segments drawn as one; `widest` is the longest of what was joined, nanoseconds."""

    started_ns: int
    ended_ns: int
    widest: int
    segments: list[Segment]

    def add(self, segment: Segment) -> None:
        self.ended_ns = max(self.ended_ns, segment.ended_ns)
        self.widest = self.ended_ns - self.started_ns
        self.segments.append(segment)


_Lane: TypeAlias = list[_Group]


def _packed(segments: Iterable[Segment]) -> list[_Lane]:
    """The first lane that is free for each; so what is around others lies above them."""
    lanes: list[_Lane] = []
    for segment in sorted(segments, key=lambda each: (each.started_ns, -each.ended_ns)):
        lane = next((lane for lane in lanes if lane[-1].ended_ns <= segment.started_ns), None)
        if lane is None and len(lanes) == MAX_LANES:
            lanes[-1][-1].add(segment)
            continue
        if lane is None:
            lane = []
            lanes.append(lane)
        group = _Group(segment.started_ns, segment.ended_ns, _duration(segment), [segment])
        lane.append(group)
    return lanes


# -- level of detail -------------------------------------------------------------------------------


def _runs(lane: _Lane, narrow_ns: float) -> Iterator[_Lane]:
    """The lane cut where a group, or the gap before it, or a run is wide enough to be seen."""
    run: _Lane = []
    for group in lane:
        if run and _joins(group, run, narrow_ns):
            run.append(group)
            continue
        if run:
            yield run
        run = [group]
    if run:
        yield run


def _joins(group: _Group, run: _Lane, narrow_ns: float) -> bool:
    return (
        group.started_ns - run[-1].ended_ns < narrow_ns
        and max(group.widest, run[-1].widest) < narrow_ns
        and group.ended_ns - run[0].started_ns < narrow_ns * _MOST_JOINED
    )


def _count(lane: _Lane, narrow_ns: float) -> int:
    return sum(1 for _ in _runs(lane, narrow_ns))


def _bars(lane: _Lane, narrow_ns: float) -> tuple[Bar, ...]:
    return tuple(_bar(run) for run in _runs(lane, narrow_ns))


def _bar(run: _Lane) -> Bar:
    segments = tuple(segment for group in run for segment in group.segments)
    times: dict[SegmentKind, int] = {}
    for segment in segments:
        times[segment.kind] = times.get(segment.kind, 0) + _duration(segment)
    kind = max(times, key=lambda each: times[each])
    return Bar(kind, run[0].started_ns, run[-1].ended_ns, segments)


# -- the critical path -----------------------------------------------------------------------------


def _path(pieces: Sequence[Piece], window: Window) -> tuple[Stretch, ...]:
    narrow_ns = _narrow(window)
    runs: list[list[Piece]] = []
    for piece in pieces:
        if not _shown(piece, window):
            continue
        if runs and max(_duration(piece), _duration(runs[-1][-1])) < narrow_ns:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return tuple(_stretch(run) for run in runs)


def _stretch(run: Sequence[Piece]) -> Stretch:
    times: dict[Label, int] = {}
    for piece in run:
        times[piece.label] = times.get(piece.label, 0) + _duration(piece)
    label = max(times, key=lambda each: times[each])
    return Stretch(label, run[0].started_ns, run[-1].ended_ns, tuple(run))
