"""Jaeger's query API, version 1: ``/api/services``, ``/api/traces``; and its JSON as records.

Source: Jaeger's UI model: times in microseconds, kind, status, scope and trace state as tags.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from otel_kit import names
from otel_kit.explorer.source import fields
from otel_kit.explorer.source.fields import Json
from otel_kit.explorer.source.http import JsonClient, Params, path_part
from otel_kit.explorer.source.problems import NotThere
from otel_kit.records import (
    AttributeValue,
    EventRecord,
    LinkRecord,
    SpanRecord,
    TraceRecord,
)

_SPECIAL: Final = frozenset(
    {
        "otel.scope.name",
        "otel.scope.version",
        "otel.library.name",
        "otel.library.version",
        "otel.status_code",
        "otel.status_description",
        "span.kind",
        "w3c.tracestate",
    }
)
_KINDS: Final = frozenset({"internal", "server", "client", "producer", "consumer"})
NONE_KNOWN: Final[Mapping[str, TraceRecord]] = MappingProxyType({})


class JaegerV1:
    """Finds traces by version 1 of the API."""

    def __init__(self, client: JsonClient) -> None:
        self._client = client

    def services(self) -> list[str]:
        """All services."""
        answer = self._client.get("/api/services")
        url = f"{self._client.url}/api/services"
        return fields.reading(url, lambda: fields.texts(_data(answer), "data"))

    def search(
        self, service: str, tags: Mapping[str, str], started_ns: int, ended_ns: int, limit: int,
        known: Mapping[str, TraceRecord] = NONE_KNOWN,
    ) -> list[TraceRecord]:  # fmt: skip
        """The latest traces with a span of `service` that has all `tags`.

        Of those in `known` that have no new span, the known records are returned.
        """
        params: Params = {
            "service": service,
            "tags": json.dumps(dict(tags)) if tags else "",
            "start": started_ns // 1000,
            "end": ended_ns // 1000,
            "limit": limit,
        }
        return self._traces("/api/traces", self._client.get("/api/traces", params), known)

    def trace(self, trace_id: str) -> TraceRecord | None:
        """One trace, None if there is none."""
        path = f"/api/traces/{path_part(trace_id)}"
        try:
            found = self._traces(path, self._client.get(path))
        except NotThere:
            return None
        return found[0] if found else None

    def _traces(
        self, path: str, answer: object, known: Mapping[str, TraceRecord] = NONE_KNOWN
    ) -> list[TraceRecord]:
        def read() -> list[TraceRecord]:
            rows = fields.objects(_data(answer), "data")
            return [_unchanged(row, known) or _trace(row) for row in rows]

        return fields.reading(self._client.url + path, read)


def _data(answer: object) -> object:
    return fields.mapping(answer, "the answer").get("data")


def _unchanged(row: Json, known: Mapping[str, TraceRecord]) -> TraceRecord | None:
    """The known record of a trace that has no other spans than it had then."""
    found = known.get(fields.text(row, "traceID"))
    spans = row.get("spans")
    return found if found and isinstance(spans, list) and len(spans) == len(found.spans) else None


def _trace(row: Json) -> TraceRecord:
    processes = fields.mapping(row.get("processes"), "processes")
    spans = [_span(span, processes) for span in fields.objects(row.get("spans"), "spans")]
    spans.sort(key=lambda span: span.started_ns)
    return TraceRecord(_hex(fields.text(row, "traceID"), 32), spans)


def _span(row: Json, processes: Json) -> SpanRecord:
    process = fields.mapping(processes.get(fields.text(row, "processID")), "process")
    service = fields.text(process, "serviceName")
    said = _tags(row.get("tags"))
    attributes = {name: value for name, value in said.items() if name not in _SPECIAL}
    status = _word(said, "otel.status_code").lower()
    failed = status == "error" or attributes.get("error") is True
    if failed:
        attributes.pop("error", None)
    started_ns = fields.whole(row, "startTime") * 1000
    parent, links = _references(row)
    return SpanRecord(
        trace_id=_hex(fields.text(row, "traceID"), 32),
        span_id=_hex(fields.text(row, "spanID"), 16),
        parent_span_id=parent,
        name=fields.text(row, "operationName"),
        kind=kind if (kind := _word(said, "span.kind")) in _KINDS else "",
        service=service,
        started_ns=started_ns,
        ended_ns=started_ns + max(0, fields.whole(row, "duration")) * 1000,
        status="error" if failed else ("ok" if status == "ok" else "unset"),
        status_message=_word(said, "otel.status_description"),
        attributes=attributes,
        resource={names.SERVICE_NAME: service, **_tags(process.get("tags"))},
        scope=_word(said, "otel.scope.name") or _word(said, "otel.library.name"),
        scope_version=_word(said, "otel.scope.version") or _word(said, "otel.library.version"),
        trace_state=_word(said, "w3c.tracestate"),
        events=[_event(log) for log in fields.objects(row.get("logs"), "logs")],
        links=links,
    )


def _word(said: Mapping[str, AttributeValue], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _references(row: Json) -> tuple[str | None, list[LinkRecord]]:
    """The parent within the trace, and every other reference as a link."""
    trace_id = _hex(fields.text(row, "traceID"), 32)
    parent, links = None, []
    for reference in fields.objects(row.get("references"), "references"):
        there = _hex(fields.text(reference, "traceID"), 32)
        span_id = _hex(fields.text(reference, "spanID"), 16)
        is_parent = fields.text(reference, "refType") == "CHILD_OF" and there == trace_id
        if is_parent and parent is None:
            parent = span_id
        else:
            links.append(LinkRecord(there, span_id, {}))
    return parent, links


def _event(row: Json) -> EventRecord:
    said = _tags(row.get("fields"))
    name = said.pop("event", "")
    return EventRecord(fields.whole(row, "timestamp") * 1000, str(name), said)


def _hex(value: str, digits: int) -> str:
    """An id in full; Jaeger leaves out leading zeros."""
    found = value.lower().rjust(digits, "0")
    if len(found) != digits or any(digit not in "0123456789abcdef" for digit in found):
        raise fields.Unfit(f"an id must be {digits} hexadecimal digits")
    return found


def _tags(rows: object) -> dict[str, AttributeValue]:
    return dict(_tag(row) for row in fields.objects(rows, "tags"))


def _tag(row: Json) -> tuple[str, AttributeValue]:
    name, kind, value = fields.text(row, "key"), fields.text(row, "type"), row.get("value")
    if kind == "int64":
        return name, fields.whole(row, "value")
    if kind == "binary" and isinstance(value, str):
        return name, _binary(value)
    if kind == "float64" and isinstance(value, int | float) and not isinstance(value, bool):
        return name, float(value)
    if isinstance(value, list | dict):
        raise fields.Unfit(f"the tag {name[:50]} is no single value")
    return name, value


def _binary(value: str) -> AttributeValue:
    """What was cut on its way is no base64 any more, and stays text."""
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return value


def by_id(found: Iterable[TraceRecord]) -> dict[str, TraceRecord]:
    """Traces by their id, once each."""
    return {trace.trace_id: trace for trace in found}
