"""Spans and log records as OTLP/JSON.

Source: OTLP 1.x, "JSON Protobuf Encoding": ids in hexadecimal, 64-bit integers as text, enums as
numbers.
"""

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

from otel_kit import names
from otel_kit.explorer.model.otlp_read import KINDS, STATUSES
from otel_kit.records import Attributes, AttributeValue, LogRecord, SpanRecord

R = TypeVar("R", SpanRecord, LogRecord)
Json: TypeAlias = dict[str, Any]


def write_spans(spans: Iterable[SpanRecord]) -> Json:
    """``{"resourceSpans": […]}``, as a body for an OTLP receiver; keeps the order."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(_resource(run[0]))},
                "scopeSpans": [
                    {
                        "scope": {"name": run[0].scope, "version": run[0].scope_version},
                        "spans": [_span(span) for span in run],
                    }
                ],
            }
            for run in _runs(spans, _span_origin)
        ]
    }


def write_logs(logs: Iterable[LogRecord]) -> Json:
    """``{"resourceLogs": […]}``; keeps the order."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(_resource(run[0]))},
                "scopeLogs": [
                    {"scope": {"name": run[0].scope}, "logRecords": [_log(log) for log in run]}
                ],
            }
            for run in _runs(logs, _log_origin)
        ]
    }


def _runs(records: Iterable[R], origin: Callable[[R], object]) -> list[list[R]]:
    """Neighbours of one origin together."""
    return [list(run) for _, run in groupby(records, origin)]


def _span_origin(span: SpanRecord) -> object:
    return repr(_resource(span)), span.scope, span.scope_version


def _log_origin(log: LogRecord) -> object:
    return repr(_resource(log)), log.scope


def _resource(record: SpanRecord | LogRecord) -> Attributes:
    """The resource, which names the service."""
    return {names.SERVICE_NAME: record.service, **record.resource}


def _span(span: SpanRecord) -> Json:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_span_id} if span.parent_span_id else {}),
        "traceState": span.trace_state,
        "name": span.name,
        "kind": KINDS.index(span.kind) if span.kind in KINDS else 0,
        "startTimeUnixNano": str(span.started_ns),
        "endTimeUnixNano": str(span.ended_ns),
        "attributes": _attributes(span.attributes),
        "events": [
            {
                "timeUnixNano": str(event.time_ns),
                "name": event.name,
                "attributes": _attributes(event.attributes),
            }
            for event in span.events
        ],
        "links": [
            {
                "traceId": link.trace_id,
                "spanId": link.span_id,
                "attributes": _attributes(link.attributes),
            }
            for link in span.links
        ],
        "status": {
            "code": STATUSES.index(span.status) if span.status in STATUSES else 0,
            "message": span.status_message,
        },
    }


def _log(log: LogRecord) -> Json:
    return {
        "timeUnixNano": str(log.time_ns),
        "severityText": log.severity,
        "eventName": log.event_name,
        "body": _value(log.body),
        "attributes": _attributes(log.attributes),
        **({"traceId": log.trace_id} if log.trace_id else {}),
        **({"spanId": log.span_id} if log.span_id else {}),
    }


def _attributes(attributes: Attributes) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: AttributeValue) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value if math.isfinite(value) else _special(value)}
        case str():
            return {"stringValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case Mapping():
            return {"kvlistValue": {"values": _attributes(value)}}
        case None:
            return {}
        case _:
            return {"arrayValue": {"values": [_value(item) for item in value]}}


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
