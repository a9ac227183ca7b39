"""Jaeger's query API, version 3: OTLP-shaped ``/api/v3/services``, ``/api/v3/traces``.

Source: Jaeger's `api_v3` HTTP gateway: times as RFC 3339, both required; all traces found come as
one OTLP document under ``result``; HTTP 404 if there are none.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from otel_kit.explorer.model import otlp_read
from otel_kit.explorer.source import fields
from otel_kit.explorer.source.http import JsonClient, Params, path_part
from otel_kit.explorer.source.jaeger_v1 import NONE_KNOWN
from otel_kit.explorer.source.problems import NotThere
from otel_kit.records import SpanRecord, TraceRecord


class JaegerV3:
    """Finds traces by version 3 of the API."""

    def __init__(self, client: JsonClient) -> None:
        self._client = client

    def services(self) -> list[str]:
        """All services."""
        answer = self._client.get("/api/v3/services")

        def read() -> list[str]:
            return fields.texts(fields.mapping(answer, "the answer").get("services"), "services")

        return fields.reading(f"{self._client.url}/api/v3/services", read)

    def search(
        self, service: str, tags: Mapping[str, str], started_ns: int, ended_ns: int, limit: int,
        known: Mapping[str, TraceRecord] = NONE_KNOWN,
    ) -> list[TraceRecord]:  # fmt: skip
        """The latest traces with a span of `service`, and with one that has all `tags`.

        Not every version looks at the attributes asked for, so they are looked at here again.
        """
        params: Params = {
            "query.service_name": service,
            "query.attributes": json.dumps(dict(tags)) if tags else "",
            "query.start_time_min": _time(started_ns),
            "query.start_time_max": _time(ended_ns),
            "query.search_depth": limit,
        }
        return [trace for trace in self._traces("/api/v3/traces", params) if _has(trace, tags)]

    def trace(self, trace_id: str) -> TraceRecord | None:
        """One trace, None if there is none."""
        found = self._traces(f"/api/v3/traces/{path_part(trace_id)}", {})
        return found[0] if found else None

    def _traces(self, path: str, params: Params) -> list[TraceRecord]:
        try:
            answer = self._client.get(path, params)
        except NotThere:
            return []

        def read() -> list[TraceRecord]:
            document = fields.mapping(answer, "the answer")
            return _grouped(list(otlp_read.read_spans(document.get("result", document))))

        return fields.reading(self._client.url + path, read)


def _grouped(spans: list[SpanRecord]) -> list[TraceRecord]:
    traces: dict[str, list[SpanRecord]] = {}
    for span in sorted(spans, key=lambda span: span.started_ns):
        traces.setdefault(span.trace_id, []).append(span)
    return [TraceRecord(trace_id, found) for trace_id, found in traces.items()]


def _has(trace: TraceRecord, tags: Mapping[str, str]) -> bool:
    wanted = tags.items()
    return any(
        all(str(span.attributes.get(name)) == value for name, value in wanted)
        for span in trace.spans
    )


def _time(time_ns: int) -> str:
    whole, rest = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
