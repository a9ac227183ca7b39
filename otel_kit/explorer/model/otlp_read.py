"""Spans and log records from OTLP/JSON, as `otlp_write` and every OTLP exporter writes it.

Strict on shapes: what is wrong raises `Malformed`.  Unknown fields are ignored.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from otel_kit import names
from otel_kit.records import (
    Attributes,
    AttributeValue,
    EventRecord,
    LinkRecord,
    LogRecord,
    SpanRecord,
)

Json: TypeAlias = dict[str, Any]

KINDS: Final = ("", "internal", "server", "client", "producer", "consumer")
"""By OTLP's number."""
STATUSES: Final = ("unset", "ok", "error")
"""By OTLP's number."""
MAX_DEPTH: Final = 32
"""Levels of lists and maps within one attribute value."""
_UNKNOWN_SERVICE: Final = "unknown_service"


class Malformed(ValueError):
    """What was read is not OTLP/JSON."""


def read_spans(document: object) -> Iterator[SpanRecord]:
    """The spans of ``{"resourceSpans": […]}``; raises `Malformed`."""
    for resource, scope, row in _rows(document, "resourceSpans", "scopeSpans", "spans"):
        status = _map(row, "status")
        yield SpanRecord(
            trace_id=_id(row, "traceId", 32),
            span_id=_id(row, "spanId", 16),
            parent_span_id=_optional_id(row, "parentSpanId", 16),
            name=_text(row, "name"),
            kind=_enum(row, "kind", KINDS, "SPAN_KIND_"),
            service=_service(resource),
            started_ns=_integer(row, "startTimeUnixNano"),
            ended_ns=_integer(row, "endTimeUnixNano"),
            status=_enum(status, "code", STATUSES, "STATUS_CODE_"),
            status_message=_text(status, "message"),
            attributes=_read_attributes(row),
            resource=resource,
            scope=_text(scope, "name"),
            scope_version=_text(scope, "version"),
            trace_state=_text(row, "traceState"),
            events=[_event(event) for event in _maps(row, "events")],
            links=[_link(link) for link in _maps(row, "links")],
        )


def read_logs(document: object) -> Iterator[LogRecord]:
    """The log records of ``{"resourceLogs": […]}``; raises `Malformed`."""
    for resource, scope, row in _rows(document, "resourceLogs", "scopeLogs", "logRecords"):
        yield LogRecord(
            time_ns=_integer(row, "timeUnixNano") or _integer(row, "observedTimeUnixNano"),
            service=_service(resource),
            severity=_text(row, "severityText"),
            event_name=_text(row, "eventName"),
            body=_read_value(_map(row, "body")),
            trace_id=_optional_id(row, "traceId", 32),
            span_id=_optional_id(row, "spanId", 16),
            attributes=_read_attributes(row),
            resource=resource,
            scope=_text(scope, "name"),
        )


def _rows(
    document: object, groups: str, scopes: str, rows: str
) -> Iterator[tuple[dict[str, AttributeValue], Json, Json]]:
    if not isinstance(document, dict):
        raise Malformed(f"expected an object with {groups}")
    for group in _maps(document, groups):
        resource = _read_attributes(_map(group, "resource"))
        for scope in _maps(group, scopes):
            for row in _maps(scope, rows):
                yield resource, _map(scope, "scope"), row


def _service(resource: Attributes) -> str:
    return str(resource.get(names.SERVICE_NAME) or _UNKNOWN_SERVICE)


def _event(row: Json) -> EventRecord:
    return EventRecord(_integer(row, "timeUnixNano"), _text(row, "name"), _read_attributes(row))


def _link(row: Json) -> LinkRecord:
    return LinkRecord(_id(row, "traceId", 32), _id(row, "spanId", 16), _read_attributes(row))


def _read_attributes(row: Json, depth: int = 0) -> dict[str, AttributeValue]:
    name = "values" if depth else "attributes"
    return {
        _text(pair, "key"): _read_value(_map(pair, "value"), depth) for pair in _maps(row, name)
    }


def _read_value(value: Json, depth: int = 0) -> AttributeValue:
    if depth > MAX_DEPTH:
        raise Malformed("an attribute value is nested too deeply")
    for name, found in value.items():
        match name:
            case "stringValue" | "boolValue" if isinstance(found, str | bool):
                return found
            case "intValue":
                return _integer(value, name)
            case "doubleValue":
                return _float(found)
            case "bytesValue" if isinstance(found, str):
                return _bytes(found)
            case "arrayValue" if isinstance(found, dict):
                return [_read_value(item, depth + 1) for item in _maps(found, "values")]
            case "kvlistValue" if isinstance(found, dict):
                return _read_attributes(found, depth + 1)
    return None


def _float(found: object) -> float:
    try:
        if isinstance(found, str | int | float):
            return float(found)
    except (ValueError, OverflowError):
        pass
    raise Malformed("doubleValue must be a number")


def _bytes(found: str) -> bytes:
    try:
        return base64.b64decode(found, validate=True)
    except binascii.Error as error:
        raise Malformed("bytesValue must be base64") from error


def _map(row: Json, name: str) -> Json:
    found = row.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Malformed(f"{name} must be an object")
    return found


def _maps(row: Json, name: str) -> list[Json]:
    found = row.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Malformed(f"{name} must be a list of objects")
    return found


def _text(row: Json, name: str) -> str:
    found = row.get(name, "")
    if not isinstance(found, str):
        raise Malformed(f"{name} must be text")
    return found


def _integer(row: Json, name: str) -> int:
    found = row.get(name, 0)
    if isinstance(found, str) and len(found) <= 20 and found.removeprefix("-").isdecimal():
        return int(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise Malformed(f"{name} must be a whole number")


def _enum(row: Json, name: str, words: tuple[str, ...], prefix: str) -> str:
    found = row.get(name, 0)
    if isinstance(found, str):
        word = found.removeprefix(prefix).lower()
        return word if word in words else words[0]
    number = _integer(row, name)
    return words[number] if 0 <= number < len(words) else words[0]


def _id(row: Json, name: str, digits: int) -> str:
    found = _text(row, name).lower()
    if len(found) != digits or any(digit not in "0123456789abcdef" for digit in found):
        raise Malformed(f"{name} must be {digits} hexadecimal digits")
    return found


def _optional_id(row: Json, name: str, digits: int) -> str | None:
    found = _text(row, name)
    return _id(row, name, digits) if found.strip("0") else None
