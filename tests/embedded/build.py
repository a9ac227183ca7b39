"""Hand-made OTLP requests for the tests of the embedded collector."""

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SECOND = 10**9


def pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Python values as OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def any_value(value: Any) -> AnyValue:
    """One Python value as OTLP's."""
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            result = AnyValue()
            result.array_value.values.extend(any_value(item) for item in value)
            return result
        case _:
            return AnyValue(string_value=value)


def span(
    name: str = "work", trace_id: bytes = b"", *, seconds_ago: float = 0, **fields: Any
) -> Span:
    """A valid span of 5 ms that ended `seconds_ago`; `fields` override, attributes as a dict."""
    end = time.time_ns() - int(seconds_ago * SECOND)
    values: dict[str, Any] = {
        "trace_id": trace_id or os.urandom(16),
        "span_id": os.urandom(8),
        "name": name,
        "kind": Span.SPAN_KIND_INTERNAL,
        "start_time_unix_nano": end - 5_000_000,
        "end_time_unix_nano": end,
        **fields,
    }
    values["attributes"] = pairs(values.get("attributes", {}))
    return Span(**values)


def traces(
    spans: Iterable[Span], service: str = "orders", scope: str = "tests"
) -> ExportTraceServiceRequest:
    """A request with the spans of one service."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(pairs({"service.name": service}))
    scope_spans = group.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.spans.extend(spans)
    return request


def logs(records: Iterable[LogRecord], service: str = "orders") -> ExportLogsServiceRequest:
    """A request with the log records of one service."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(pairs({"service.name": service}))
    group.scope_logs.add().log_records.extend(records)
    return request


def log(body: str = "hello", **fields: Any) -> LogRecord:
    """A log record of now; `fields` override, attributes as a dict."""
    values: dict[str, Any] = {"time_unix_nano": time.time_ns(), "body": any_value(body), **fields}
    values["attributes"] = pairs(values.get("attributes", {}))
    return LogRecord(**values)


def metrics(
    found: Iterable[Metric], service: str = "orders", instance: str = "one", scope: str = ""
) -> ExportMetricsServiceRequest:
    """A request with the metrics of one service instance."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    identity = {"service.name": service, "service.instance.id": instance}
    group.resource.attributes.extend(pairs(identity))
    scope_metrics = group.scope_metrics.add()
    scope_metrics.scope.name = scope
    scope_metrics.metrics.extend(found)
    return request


def gauge(
    name: str, value: float, /, unit: str = "", *, seconds_ago: float = 0, **attributes: Any
) -> Metric:
    """A gauge with one point."""
    metric = Metric(name=name, unit=unit)
    at = time.time_ns() - int(seconds_ago * SECOND)
    metric.gauge.data_points.add(as_double=value, time_unix_nano=at, attributes=pairs(attributes))
    return metric


def counter(name: str, value: int, /, delta: bool = False, **attributes: Any) -> Metric:
    """A monotonic sum with one point."""
    metric = Metric(name=name, unit="1")
    metric.sum.is_monotonic = True
    metric.sum.aggregation_temporality = 1 if delta else 2
    metric.sum.data_points.add(
        as_int=value, time_unix_nano=time.time_ns(), attributes=pairs(attributes)
    )
    return metric


def histogram(
    name: str,
    bounds: list[float],
    counts: list[int],
    unit: str = "s",
    delta: bool = False,
    **attributes: Any,
) -> Metric:
    """An explicit-bucket histogram with one point, whose sum is 1 per measurement."""
    metric = Metric(name=name, unit=unit)
    metric.histogram.aggregation_temporality = 1 if delta else 2
    metric.histogram.data_points.add(
        explicit_bounds=bounds,
        bucket_counts=counts,
        count=sum(counts),
        sum=float(sum(counts)),
        time_unix_nano=time.time_ns(),
        attributes=pairs(attributes),
    )
    return metric
