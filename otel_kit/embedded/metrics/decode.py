"""OTLP metrics to points; pure."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from otel_kit import names
from otel_kit.embedded import otlp
from otel_kit.embedded.batches import Rejected
from otel_kit.embedded.decode import parse
from otel_kit.embedded.metrics import series, targets, values
from otel_kit.embedded.metrics.series import Exemplar, Point, SeriesKey

MAX_BUCKETS: Final = 512
MAX_KEY: Final = 8_192
"""Characters of name, scope and attributes of one series together."""
MAX_EXEMPLARS: Final = 32
"""Of one series; the kit's histograms have 22 buckets, and one for each."""
_SCALES: Final = range(-11, 21)
"""The scales that OpenTelemetry's data model speaks of, widened to its extremes."""
_NO_VALUE: Final = pb.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_DELTA: Final = pb.AGGREGATION_TEMPORALITY_DELTA


@dataclass(slots=True)
class PointBatch:
    """One request's data points, and a point for each resource that says more than its name."""

    points: list[Point] = field(default_factory=list)
    targets: list[Point] = field(default_factory=list)
    rejected: Rejected = field(default_factory=Rejected)


class BadPointError(ValueError):
    """One data point that makes no sense."""


@dataclass(frozen=True, slots=True)
class _Source:
    service: str
    instance: str
    scope: str


def decode_points(body: bytes) -> PointBatch:
    """Every usable data point of one request; the others are counted as rejected.

    Raises Malformed or TooLarge.
    """
    batch = PointBatch()
    for group in parse(ExportMetricsServiceRequest, body).resource_metrics:
        resource = otlp.ResourceView.of(group.resource)
        instance = str(resource.attributes.get(names.SERVICE_INSTANCE_ID) or "")
        for scope_metrics in group.scope_metrics:
            source = _Source(resource.service, instance, scope_metrics.scope.name)
            for metric in scope_metrics.metrics:
                _decode_metric(metric, source, batch)
        if group.scope_metrics:
            batch.targets += targets.target_info(resource, instance)
    return batch


def _decode_metric(metric: pb.Metric, source: _Source, batch: PointBatch) -> None:
    shape = metric.WhichOneof("data")
    if shape is None:
        return
    data = getattr(metric, shape)
    delta = getattr(data, "aggregation_temporality", 0) == _DELTA
    for point in data.data_points:
        try:
            batch.points.append(_point(metric, shape, point, source, delta))
        except BadPointError as error:
            batch.rejected.add(f"{metric.name[:100]}: {error}")


def _point(metric: pb.Metric, shape: str, point: Any, source: _Source, delta: bool) -> Point:
    attributes = tuple(sorted((a.key, series.label(otlp.value(a.value))) for a in point.attributes))
    type_ = _type(metric, shape)
    key = SeriesKey(source.service, source.instance, source.scope, metric.name, type_, attributes)
    if len(key.to_text()) > MAX_KEY:
        raise BadPointError(f"name and attributes are over {MAX_KEY} characters")
    if point.time_unix_nano >= 2**63:
        raise BadPointError("the time must be before the year 2262")
    value = None if point.flags & _NO_VALUE else _VALUES[shape](point)
    described = (metric.unit[:64], metric.description[:512])
    exemplars = tuple(_exemplars(getattr(point, "exemplars", ())))
    started_ns = getattr(point, "start_time_unix_nano", 0)
    return Point(key, *described, value, delta, point.time_unix_nano, exemplars, started_ns)


def _type(metric: pb.Metric, shape: str) -> str:
    if shape == "sum":
        return series.COUNTER if metric.sum.is_monotonic else series.GAUGE
    return series.HISTOGRAM if shape == "exponential_histogram" else shape


def _number(point: pb.NumberDataPoint) -> values.Number:
    return values.Number(point.as_int if point.WhichOneof("value") == "as_int" else point.as_double)


def _histogram(point: pb.HistogramDataPoint) -> values.Histogram:
    bounds, counts = tuple(point.explicit_bounds), tuple(point.bucket_counts)
    if not counts and not bounds:
        counts = (point.count,)
    if len(counts) != len(bounds) + 1 or len(counts) > MAX_BUCKETS:
        raise BadPointError(f"needs one bucket more than bounds, and at most {MAX_BUCKETS}")
    if any(b <= a for a, b in pairwise(bounds)) or not _finite(bounds):
        raise BadPointError("bounds must be finite and rise")
    return values.Histogram(bounds, counts, point.sum, point.count)


def _exponential(point: pb.ExponentialHistogramDataPoint) -> values.Exponential:
    if point.scale not in _SCALES:
        raise BadPointError(f"the scale must be from {_SCALES.start} to {_SCALES.stop - 1}")
    sides = (_buckets(point.positive), _buckets(point.negative))
    both = values.Exponential(point.scale, point.zero_count, *sides, point.sum, point.count)
    return both.bounded()


def _buckets(buckets: pb.ExponentialHistogramDataPoint.Buckets) -> dict[int, int]:
    if len(buckets.bucket_counts) > MAX_BUCKETS:
        raise BadPointError(f"at most {MAX_BUCKETS} buckets")
    counted = enumerate(buckets.bucket_counts, start=buckets.offset)
    return {index: count for index, count in counted if count}


def _summary(point: pb.SummaryDataPoint) -> values.Summary:
    if len(point.quantile_values) > MAX_BUCKETS:
        raise BadPointError(f"at most {MAX_BUCKETS} quantiles")
    quantiles = tuple((q.quantile, q.value) for q in point.quantile_values)
    return values.Summary(quantiles, point.sum, point.count)


_VALUES: Final[dict[str, Any]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}


def _finite(numbers: Iterable[float]) -> bool:
    return all(math.isfinite(number) for number in numbers)


def _exemplars(exemplars: Iterable[pb.Exemplar]) -> Iterator[Exemplar]:
    for exemplar in list(exemplars)[:MAX_EXEMPLARS]:
        value = exemplar.as_double
        if exemplar.WhichOneof("value") == "as_int":
            value = exemplar.as_int
        ids = (exemplar.trace_id.hex()[:32], exemplar.span_id.hex()[:16])
        yield Exemplar(value, exemplar.time_unix_nano, *ids)
