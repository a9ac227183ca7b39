"""From OTLP messages to plain values and records; pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from otel_kit import names
from otel_kit.records import (
    Attributes,
    AttributeValue,
    EventRecord,
    LinkRecord,
    LogRecord,
    SpanRecord,
)

KINDS: Final = ("", "internal", "server", "client", "producer", "consumer")
"""Span kinds by OTLP number; what is beyond stands as unspecified."""
STATUS_ERROR: Final = 2
UNKNOWN_SERVICE: Final = "unknown_service"
"""The semantic conventions' value for a resource without ``service.name``."""
_STATUS: Final = ("unset", "ok", "error")


def value(any_value: AnyValue) -> AttributeValue:
    """The Python value; a number JSON cannot carry (NaN, infinity) as text."""
    match any_value.WhichOneof("value"):
        case None | "string_value_strindex":
            return None
        case "array_value":
            return [value(item) for item in any_value.array_value.values]
        case "kvlist_value":
            return attributes(any_value.kvlist_value.values)
        case "double_value" if not math.isfinite(any_value.double_value):
            return str(any_value.double_value)
        case field:
            plain: AttributeValue = getattr(any_value, field)
            return plain


def attributes(pairs: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    """A dictionary; of equal keys the last one stays."""
    return {pair.key: value(pair.value) for pair in pairs}


def text(any_value: AnyValue) -> str:
    """A name or id written as text; empty when there is none."""
    plain = value(any_value)
    return "" if plain is None else str(plain)


def service_name(resource: Resource) -> str:
    """``service.name`` of a resource, never empty."""
    for pair in resource.attributes:
        if pair.key == names.SERVICE_NAME:
            return text(pair.value) or UNKNOWN_SERVICE
    return UNKNOWN_SERVICE


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A resource read once for all of its spans."""

    service: str
    attributes: Attributes

    @classmethod
    def of(cls, resource: Resource) -> "ResourceView":
        """Read one OTLP resource."""
        return cls(service_name(resource), attributes(resource.attributes))


def kind_name(number: int) -> str:
    """The name of an OTLP span kind."""
    return KINDS[number] if 0 <= number < len(KINDS) else ""


def span_record(
    span: trace_pb2.Span, resource: ResourceView, scope: InstrumentationScope
) -> SpanRecord:
    """One span as a record."""
    return SpanRecord(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex() if any(span.parent_span_id) else None,
        name=span.name,
        kind=kind_name(span.kind),
        service=resource.service,
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        status=_STATUS[span.status.code] if 0 <= span.status.code < len(_STATUS) else "unset",
        status_message=span.status.message,
        attributes=attributes(span.attributes),
        resource=resource.attributes,
        scope=scope.name,
        scope_version=scope.version,
        trace_state=span.trace_state,
        events=[_event(event) for event in span.events],
        links=[_link(link) for link in span.links],
    )


def _event(event: trace_pb2.Span.Event) -> EventRecord:
    return EventRecord(event.time_unix_nano, event.name, attributes(event.attributes))


def _link(link: trace_pb2.Span.Link) -> LinkRecord:
    return LinkRecord(link.trace_id.hex(), link.span_id.hex(), attributes(link.attributes))


def log_time(log: logs_pb2.LogRecord) -> int:
    """When it happened, else when it was seen; ns since the epoch."""
    return log.time_unix_nano or log.observed_time_unix_nano


def event_name(log: logs_pb2.LogRecord) -> str:
    """The event's name, from its field or older SDKs' attribute; empty for plain logs."""
    if log.event_name:
        return log.event_name
    return next((text(a.value) for a in log.attributes if a.key == "event.name"), "")


def log_record(
    log: logs_pb2.LogRecord, resource: ResourceView, scope: InstrumentationScope
) -> LogRecord:
    """One log record as a record."""
    return LogRecord(
        time_ns=log_time(log),
        service=resource.service,
        severity=log.severity_text,
        event_name=event_name(log),
        body=value(log.body),
        trace_id=log.trace_id.hex() or None,
        span_id=log.span_id.hex() or None,
        attributes=attributes(log.attributes),
        resource=resource.attributes,
        scope=scope.name,
    )
