"""A meter provider whose readers also get the edge metrics that `Cells` keep.

They come in the same collection and under the same scope as if instruments had recorded them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal.instrument import _Counter, _Histogram
from opentelemetry.sdk.metrics.export import (
    Metric,
    MetricReader,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.view import (
    DefaultAggregation,
    ExplicitBucketHistogramAggregation,
    SumAggregation,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_kit import names
from otel_kit._providers.collected import Collected
from otel_kit._providers.reports import logger
from otel_kit.hops.cells import Cells

Use = Callable[[Cells | None], object]


class MeasuringMeterProvider(MeterProvider):
    """Without `publish` it is the SDK's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._collected: Collected | None = None
        self._use: Use = lambda _: None

    def publish(self, cells: Cells, use: Use) -> None:
        """Let the readers have what `cells` count, and tell so by ``use(cells)``.

        If a view or a reader asks for an aggregation that only the SDK has, nothing is done.
        ``use(None)`` follows when the readers collect no more.
        """
        if not self._takes_cells():
            return
        self._collected = Collected(cells)
        for reader in self._metric_readers:
            self._connect(reader)
        self._use = use
        use(cells)

    def unpublish(self) -> None:
        """Hops count elsewhere from now on; what the cells have is still collected."""
        self._use(None)

    def forget(self) -> None:
        """In a forked child: count from zero."""
        if self._collected is not None:
            self._collected.forget()

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """As the SDK's.  The edges' histograms have explicit buckets whatever it prefers."""
        super().add_metric_reader(metric_reader)
        self._connect(metric_reader)

    def _takes_cells(self) -> bool:
        """Should a future SDK name its parts otherwise, edges stay in its instruments."""
        try:
            collects = callable(self._measurement_consumer.collect)
            plain = not self._sdk_config.views and all(map(_is_plain, self._metric_readers))
        except (AttributeError, KeyError):
            return False
        return collects and plain

    def _connect(self, reader: MetricReader) -> None:
        if self._collected is not None:
            self._collected.add_reader(reader)
            reader._set_collect_callback(self._collect)  # type: ignore[arg-type]

    def _collect(self, reader: MetricReader, timeout_millis: float = 10_000) -> MetricsData | None:
        found = self._measurement_consumer.collect(reader, timeout_millis=timeout_millis)
        try:
            ours = self._collected.metrics(reader) if self._collected else []
        except Exception as error:  # what the SDK has collected must not be lost
            logger.warning("The edge metrics could not be collected: %r", error)
            return found
        return _with(found, ours, self._sdk_config.resource) if ours else found


def _is_plain(reader: MetricReader) -> bool:
    """Whether it wants sums, and histograms with the buckets that each metric advises."""
    wanted = reader._instrument_class_aggregation
    histogram = wanted[_Histogram]
    buckets = getattr(histogram, "_boundaries", None), getattr(histogram, "_record_min_max", True)
    return (
        type(histogram) in (DefaultAggregation, ExplicitBucketHistogramAggregation)
        and buckets == (None, True)
        and type(wanted[_Counter]) in (DefaultAggregation, SumAggregation)
    )


def _with(found: MetricsData | None, ours: list[Metric], resource: Resource) -> MetricsData:
    """The SDK's collection and ours, as one."""
    resources = list(found.resource_metrics) if found is not None else []
    scopes = {each.scope: each for one in resources for each in one.scope_metrics}
    scope = InstrumentationScope(names.SCOPE)
    beside = scopes[scope].metrics if scope in scopes else []
    scopes[scope] = ScopeMetrics(scope, [*beside, *ours], scope.schema_url or "")
    return MetricsData([ResourceMetrics(resource, list(scopes.values()), resource.schema_url)])
