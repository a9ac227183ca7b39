"""The same hops in cells and in the SDK's instruments, and what each of them collects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

from otel_kit import names
from otel_kit._providers.measuring import MeasuringMeterProvider
from otel_kit.hops.cells import Cells
from otel_kit.hops.edges import Conventional, Edge, Wait
from otel_kit.hops.instruments import Instruments
from otel_kit.hops.series import Projection

FILTERS = {
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
    "trace_based": TraceBasedExemplarFilter,
}
RESOURCE = Resource({"service.name": "orders"}, "https://example.org/schema")


class Both:
    """Edges that are kept in both ways; `collect` compares."""

    def __init__(self, exemplars: str, temporality: Any, **projection: bool) -> None:
        self._cells = Cells(Projection(**projection), exemplars)
        self._readers = [InMemoryMetricReader(preferred_temporality=temporality) for _ in "12"]
        options: dict[str, Any] = {
            "resource": RESOURCE,
            "exemplar_filter": FILTERS[exemplars](),
            "shutdown_on_exit": False,
        }
        measuring = MeasuringMeterProvider([self._readers[0]], **options)
        measuring.publish(self._cells, lambda _: None)
        meter = MeterProvider([self._readers[1]], **options).get_meter(names.SCOPE)
        self._instruments = Instruments(meter, Projection(**projection))
        self._began: dict[Any, int] = {}

    def hop(
        self, seconds: float, edge: Edge | None, said: Conventional | None, messages: int,
        context: Context,
    ) -> None:  # fmt: skip
        """See `Edges`."""
        self._cells.hop(seconds, edge, said, messages, context)
        self._instruments.hop(seconds, edge, said, messages, context)

    def waited(self, seconds: float, wait: Wait, context: Context) -> None:
        """See `Edges`."""
        self._cells.waited(seconds, wait, context)
        self._instruments.waited(seconds, wait, context)

    def compare(self) -> None:
        """Collect from both: they have the same to say."""
        ours, theirs = (_points(reader.get_metrics_data()) for reader in self._readers)
        assert ours.keys() == theirs.keys()
        for key, point in ours.items():
            assert point.figures == theirs[key].figures, key
            _same_exemplars(point, theirs[key])
            self._check_times(key, point.times)

    def _check_times(self, key: Any, times: tuple[int, int]) -> None:
        """Cumulative points of a series begin at one time, a delta where the last one ended."""
        began, now = times
        assert 0 < began <= now
        if "CUMULATIVE" in str(key):
            assert self._began.setdefault(key, began) == began
        else:
            assert self._began.get(key, 0) <= began
            self._began[key] = now


@dataclass
class Point:
    """A data point, taken apart."""

    figures: tuple[Any, ...]
    exemplars: list[tuple[Any, ...]]
    times: tuple[int, int]
    buckets: bool


def _points(data: MetricsData | None) -> dict[Any, Point]:
    """By everything that names a series."""
    return {
        (
            resource.resource, resource.schema_url, scope.scope, scope.schema_url,
            metric.name, metric.unit, metric.description, type(metric.data).__name__,
            metric.data.aggregation_temporality.name, getattr(metric.data, "is_monotonic", None),
            frozenset((key, type(value), value) for key, value in point.attributes.items()),
        ): _point(point)
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }  # fmt: skip


def _point(raw: Any) -> Point:
    exemplars = [(e.trace_id, e.span_id, e.value, e.filtered_attributes) for e in raw.exemplars]
    times = raw.start_time_unix_nano, raw.time_unix_nano
    if hasattr(raw, "value"):
        return Point((raw.value, type(raw.value)), exemplars, times, buckets=False)
    total = pytest.approx(raw.sum, rel=1e-12)  # they are not added up in one order
    figures = raw.count, total, raw.bucket_counts, raw.explicit_bounds, raw.min, raw.max
    return Point(figures, exemplars, times, buckets=True)


def _same_exemplars(ours: Point, theirs: Point) -> None:
    """Of a counter the SDK keeps any one, and the cells the last."""
    if ours.buckets:
        assert ours.exemplars == theirs.exemplars
    else:
        assert len(ours.exemplars) == len(theirs.exemplars)
