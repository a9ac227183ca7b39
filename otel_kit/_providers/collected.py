"""What cells have counted, as the SDK's data points: for each reader since the start, or its last.

Each reader has sums of its own, as with the SDK: what is taken from the cells is added to all of
them, and each makes its points in the temporality it prefers.
"""

from __future__ import annotations

from time import time_ns
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics._internal.instrument import _Counter, _Histogram
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricReader,
    NumberDataPoint,
    Sum,
)

from otel_kit._locks import ForkSafeLock
from otel_kit.hops.cells import Cell, Cells, Figures, Sample
from otel_kit.hops.metric import Metric as Kind
from otel_kit.hops.series import Series

_DELTA = AggregationTemporality.DELTA


class Collected:
    """The sums of some readers.  The lock is for them only: what records never waits."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._lock = ForkSafeLock()
        self._readers: WeakKeyDictionary[MetricReader, _Sums] = WeakKeyDictionary()

    def add_reader(self, reader: MetricReader) -> None:
        """From now on this one has sums too."""
        with self._lock:
            self._distribute()
            self._readers.setdefault(reader, _Sums())

    def forget(self) -> None:
        """In a forked child: begin from zero."""
        self._cells.forget()
        for reader in list(self._readers):
            self._readers[reader] = _Sums()

    def metrics(self, reader: MetricReader) -> list[Metric]:
        """What a reader collects."""
        now = time_ns()
        with self._lock:
            self._distribute()
            points: dict[tuple[Kind, AggregationTemporality], list[Any]] = {}
            for series, total in self._readers[reader].totals.items():
                temporality = _temporality(reader, series)
                point = total.point(series, temporality, now)
                if point is not None:
                    points.setdefault((series.metric, temporality), []).append(point)
        return [_metric(*each, found) for each, found in points.items()]

    def _distribute(self) -> None:
        readers = list(self._readers.values())
        for cell, figures in self._cells.take():
            for sums in readers:
                sums.add(cell, figures)


class _Sums:
    """The series of one reader."""

    def __init__(self) -> None:
        self.totals: dict[Series, _Total] = {}
        self._since = time_ns()

    def add(self, cell: Cell, figures: Figures) -> None:
        for series in cell.series:
            total = self.totals.get(series)
            if total is None:
                since = max(cell.since, self._since)
                total = self.totals[series] = _Total(len(figures.counts), since)
            total.figures.merge(figures)


class _Total:
    """One series, for one reader."""

    __slots__ = ("_since", "figures")

    def __init__(self, buckets: int, since: int) -> None:
        self._since = since
        self.figures = Figures(buckets)

    def point(
        self, series: Series, temporality: AggregationTemporality, now: int
    ) -> HistogramDataPoint | NumberDataPoint | None:
        """None if nothing has changed since the last time and the reader asks for changes."""
        figures, since = self.figures, self._since
        if temporality is _DELTA:
            self._since = now
            if figures.empty:
                return None
            self.figures = Figures(len(figures.counts))
        make = _histogram_point if series.metric.buckets else _counter_point
        point = make(series, figures, since, now)
        figures.samples = {}
        return point


def _histogram_point(series: Series, figures: Figures, since: int, now: int) -> HistogramDataPoint:
    samples = [sample for _, sample in sorted(figures.samples.items())]
    return HistogramDataPoint(
        attributes=dict(series.labels),
        start_time_unix_nano=since,
        time_unix_nano=now,
        count=sum(figures.counts),
        sum=figures.sum,
        bucket_counts=tuple(figures.counts),
        explicit_bounds=series.metric.buckets,
        min=figures.min,
        max=figures.max,
        exemplars=[_exemplar(sample, sample.seconds) for sample in samples],
    )


def _counter_point(series: Series, figures: Figures, since: int, now: int) -> NumberDataPoint:
    of_messages = series.metric.of_messages
    latest = sorted(figures.samples.values(), key=lambda sample: sample.time)[-1:]
    return NumberDataPoint(
        attributes=dict(series.labels),
        start_time_unix_nano=since,
        time_unix_nano=now,
        value=figures.messages if of_messages else sum(figures.counts),
        exemplars=[_exemplar(each, each.messages if of_messages else 1) for each in latest],
    )


def _exemplar(sample: Sample, value: float) -> Exemplar:
    span = sample.span
    ids = (span.span_id, span.trace_id) if span is not None else (None, None)
    return Exemplar({}, value, sample.time, *ids)


def _temporality(reader: MetricReader, series: Series) -> AggregationTemporality:
    kind = _Histogram if series.metric.buckets else _Counter
    return reader._instrument_class_temporality[kind]


def _metric(kind: Kind, temporality: AggregationTemporality, points: list[Any]) -> Metric:
    data: Histogram | Sum = (
        Histogram(points, temporality)
        if kind.buckets
        else Sum(points, temporality, is_monotonic=True)
    )
    return Metric(kind.name, kind.description, kind.unit, data)
