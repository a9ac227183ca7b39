"""Edge metrics in cells, one for each full set of labels: a hop costs one lookup and a few sums.

Cells are projected onto the metrics when they are collected; see `_providers.collected`.

There is no lock.  A signal handler may interrupt a thread anywhere and make hops too, or wait for
a flush that collects.  CPython switches threads and runs signal handlers only at calls, at backward
jumps and at the start of functions, so that a stretch of code without any is atomic (as long as
there is a global interpreter lock: see `ATOMIC`).  `Cell.add` and `Cell.take` keep to that; a test
reads their byte code.
"""

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from math import inf, isfinite
from time import time_ns
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, SpanContext, TraceFlags, get_current_span

from otel_kit.hops.edges import DURATION_BUCKETS, QUEUE_BUCKETS, Conventional, Edge, Wait
from otel_kit.hops.series import Projection, Series

ATOMIC: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether cells can be used in this interpreter."""
_LIMIT: Final = 5_000
"""Sets of labels that are remembered, and cells that stand for two kinds of labels at once."""


class Sample(NamedTuple):
    """A measurement whose span is kept: an exemplar."""

    seconds: float
    messages: int
    time: int
    """Nanoseconds since the epoch."""
    span: SpanContext | None


class Figures:
    """What was measured in a while: counts by bucket, their sum and extremes, messages, samples."""

    __slots__ = ("counts", "max", "messages", "min", "samples", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0
        self.min, self.max = inf, -inf
        self.messages = 0
        self.samples: dict[int, Sample] = {}
        """The last one of each bucket, by its index."""

    @property
    def empty(self) -> bool:
        """Whether nothing was counted."""
        return self.min > self.max

    def merge(self, other: "Figures") -> None:
        """Add what another one, of the same buckets, has counted."""
        self.counts = [
            mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.sum += other.sum
        self.min, self.max = min(self.min, other.min), max(self.max, other.max)
        self.messages += other.messages
        for index, sample in other.samples.items():
            mine = self.samples.get(index)
            if mine is None or mine.time <= sample.time:
                self.samples[index] = sample


class Cell:
    """The figures of one set of labels since they were last taken."""

    __slots__ = ("_buckets", "_figures", "series", "since")

    def __init__(self, series: tuple[Series, ...], buckets: tuple[float, ...]) -> None:
        self.series = series
        self.since = time_ns()
        self._buckets = buckets
        self._figures = Figures(len(buckets) + 1)

    def add(self, seconds: float, messages: int, sample: Sample | None) -> None:
        """Count one measurement."""
        index = bisect_left(self._buckets, seconds)
        figures = self._figures  # From here on no call and no loop: see above.
        figures.counts[index] += 1
        figures.sum += seconds
        if seconds < figures.min:
            figures.min = seconds
        if seconds > figures.max:
            figures.max = seconds
        figures.messages += messages
        if sample is not None:
            figures.samples[index] = sample

    def take(self) -> Figures | None:
        """What was counted since the last time, None if nothing was."""
        if self._figures.empty:
            return None
        fresh = Figures(len(self._buckets) + 1)
        taken, self._figures = self._figures, fresh  # No call in between: see above.
        return taken


class Cells:
    """The cells of a process.  `exemplars` is as in `OTEL_METRICS_EXEMPLAR_FILTER`."""

    def __init__(self, projection: Projection, exemplars: str = "trace_based") -> None:
        self._projection = projection
        self._sample = _FILTERS[exemplars]
        self.forget()

    def forget(self) -> None:
        """In a forked child: count from zero."""
        self._cells: dict[tuple[Series, ...], Cell] = {}
        self._known: dict[tuple[Any, ...], Cell] = {}

    def hop(
        self, seconds: float, edge: Edge | None, said: Conventional | None, messages: int,
        context: Context,
    ) -> None:  # fmt: skip
        """See `Edges`."""
        cell = self._known.get((edge, said)) or self._of_hop(edge, said)
        if cell is None:
            self.hop(seconds, edge, None, messages, context)
            self.hop(seconds, None, said, messages, context)
        else:
            cell.add(seconds, messages, self._sample(seconds, messages, context))

    def waited(self, seconds: float, wait: Wait, context: Context) -> None:
        """See `Edges`."""
        if not isfinite(seconds):  # somebody's header; the SDK would not count it either
            return
        cell = self._known.get(wait)
        if cell is None:
            cell = self._keep(wait, tuple(self._projection.of_wait(wait)), QUEUE_BUCKETS)
        cell.add(seconds, 1, self._sample(seconds, 1, context))

    def take(self) -> Iterator[tuple[Cell, Figures]]:
        """What was counted since the last time, and where.  One thread at a time."""
        for cell in list(self._cells.values()):
            figures = cell.take()
            if figures is not None:
                yield cell, figures

    def _of_hop(self, edge: Edge | None, said: Conventional | None) -> Cell | None:
        """None: there are many already, and a cell of each half takes less room than of both."""
        if edge is not None and said is not None and len(self._cells) >= _LIMIT:
            return None
        series = tuple(self._projection.of_hop(edge, said))
        return self._keep((edge, said), series, DURATION_BUCKETS)

    def _keep(
        self, key: tuple[Any, ...], series: tuple[Series, ...], buckets: tuple[float, ...]
    ) -> Cell:
        """The cell of these series: their labels are bounded, which the key's are not."""
        cell = self._cells.get(series)
        cell = cell or self._cells.setdefault(series, Cell(series, buckets))
        if len(self._known) >= _LIMIT:
            self._known = {}
        self._known[key] = cell
        return cell


def _of_sampled(seconds: float, messages: int, context: Context) -> Sample | None:
    span = get_current_span(context).get_span_context()
    sampled = span.trace_flags & TraceFlags.SAMPLED
    return Sample(seconds, messages, time_ns(), span) if sampled else None


def _of_any(seconds: float, messages: int, context: Context) -> Sample | None:
    span = get_current_span(context)
    found = None if span is INVALID_SPAN else span.get_span_context()
    return Sample(seconds, messages, time_ns(), found)


def _of_none(seconds: float, messages: int, context: Context) -> Sample | None:
    return None


_FILTERS: Final[dict[str, Callable[[float, int, Context], Sample | None]]] = {
    "always_on": _of_any,
    "always_off": _of_none,
    "trace_based": _of_sampled,
}
