"""Traces in the JSON of Jaeger's query API; pure.

Follows what Jaeger 2 makes of OTLP: scope, status, kind and trace state become tags, events become
logs, links become FOLLOWS_FROM references.  Times are microseconds.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from otel_kit import names
from otel_kit.embedded.api.common import cut, plain
from otel_kit.records import Attributes, AttributeValue, LinkRecord, SpanRecord, TraceRecord

_MAX_SAFE: Final = 2**53 - 1
"""JavaScript's largest exact integer; Jaeger sends larger ones as text."""
_ESCAPED: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def trace(record: TraceRecord) -> dict[str, Any]:
    """One trace."""
    processes: dict[str, str] = {}
    shown: dict[str, Any] = {}
    spans = []
    for span in record.spans:
        process = {"serviceName": span.service, "tags": list(_process_tags(span.resource))}
        identity = json.dumps(process, sort_keys=True)
        process_id = processes.setdefault(identity, f"p{len(processes) + 1}")
        shown[process_id] = process
        spans.append(_span(span, process_id))
    return {"traceID": record.trace_id, "spans": spans, "processes": shown, "warnings": None}


def _span(span: SpanRecord, process_id: str) -> dict[str, Any]:
    return {
        "traceID": span.trace_id,
        "spanID": span.span_id,
        "operationName": cut(span.name),
        "references": list(_references(span)),
        "startTime": span.started_ns // 1000,
        "duration": max(span.ended_ns - span.started_ns, 0) // 1000,
        "tags": list(span_tags(span)),
        "logs": [_log(event.time_ns, event.name, event.attributes) for event in span.events],
        "processID": process_id,
        "warnings": _warnings(span),
    }


def _warnings(span: SpanRecord) -> list[str] | None:
    found = []
    if span.ended_ns < span.started_ns:
        found.append("Negative duration detected; shown as 0")
    if not all(_leads_somewhere(link) for link in span.links):
        found.append("Invalid span reference removed: its trace id is zero")
    return found or None


def _references(span: SpanRecord) -> Iterator[dict[str, str]]:
    if span.parent_span_id:
        yield _reference("CHILD_OF", span.trace_id, span.parent_span_id)
    for link in filter(_leads_somewhere, span.links):
        yield _reference("FOLLOWS_FROM", link.trace_id, link.span_id.rjust(16, "0"))


def _leads_somewhere(link: LinkRecord) -> bool:
    return bool(link.trace_id.strip("0"))


def _reference(kind: str, trace_id: str, span_id: str) -> dict[str, str]:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def span_tags(span: SpanRecord) -> Iterator[dict[str, Any]]:
    """A span's tags: scope, attributes, kind, status, trace state, in Jaeger's order."""
    if span.scope:
        yield _tag("otel.scope.name", span.scope)
    if span.scope_version:
        yield _tag("otel.scope.version", span.scope_version)
    yield from _tags(span.attributes)
    if span.kind:
        yield _tag("span.kind", span.kind)
    if span.status != "unset":
        yield _tag("otel.status_code", span.status.upper())
    if span.status == "error":
        yield _tag("error", True)
    if span.status_message:
        yield _tag("otel.status_description", span.status_message)
    if span.trace_state:
        yield _tag("w3c.tracestate", span.trace_state)


def _process_tags(resource: Attributes) -> Iterator[dict[str, Any]]:
    return _tags({key: v for key, v in resource.items() if key != names.SERVICE_NAME})


def _log(time_ns: int, name: str, attributes: Attributes) -> dict[str, Any]:
    fields = [_tag("event", name)] if name and "event" not in attributes else []
    return {"timestamp": time_ns // 1000, "fields": [*fields, *_tags(attributes)]}


def _tags(attributes: Attributes) -> Iterator[dict[str, Any]]:
    return (_tag(key, value) for key, value in attributes.items())


def _tag(key: str, value: AttributeValue) -> dict[str, Any]:
    kind, shown = _typed(value)
    return {"key": cut(key), "type": kind, "value": shown}


def _typed(value: AttributeValue) -> tuple[str, Any]:
    match value:
        case bool():
            return "bool", value
        case int():
            return "int64", value if -_MAX_SAFE <= value <= _MAX_SAFE else str(value)
        case float():
            return "float64", value
        case bytes():
            return "binary", cut(base64.b64encode(value).decode())
        case str():
            return "string", cut(value)
        case None:
            return "string", ""
        case _:
            return "string", cut(_json(plain(value)))


def _json(value: Any) -> str:
    """As Go's encoder writes it, which Jaeger's answers and searches show: compact, keys sorted."""
    text = json.dumps(_whole(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.translate(_ESCAPED)


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer() and abs(value) < 1e21:
            return int(value)
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {key: _whole(item) for key, item in value.items()}
    return value


def matches(span: SpanRecord, tags: Iterable[tuple[str, str]]) -> bool:
    """Whether each tag is one of the span's, of its resource's or of one of its events'."""
    own = set(_searchable(span))
    return all(tag in own for tag in tags)


def _searchable(span: SpanRecord) -> Iterator[tuple[str, str]]:
    yield from (_as_text(tag) for tag in span_tags(span))
    yield from (_as_text(tag) for tag in _process_tags(span.resource))
    for event in span.events:
        log = _log(event.time_ns, event.name, event.attributes)
        yield from (_as_text(tag) for tag in log["fields"])


def _as_text(tag: dict[str, Any]) -> tuple[str, str]:
    value = tag["value"]
    if isinstance(value, bool):
        return tag["key"], str(value).lower()
    if isinstance(value, float):
        return tag["key"], f"{value:.10g}"
    return tag["key"], str(value)
