"""Sends hand-made sagas to a real collector by OTLP/JSON."""

import json
import time
from dataclasses import replace

from otel_kit.explorer.model import otlp_write
from otel_kit.records import EventRecord, LogRecord, SpanRecord
from tests.embedded.running import Client
from tests.explorer.building import START_NS, Made

_JSON = {"content-type": "application/json"}


def feed(client: Client, made: Made, *, seconds_ago: float = 10) -> Made:
    """Store the saga as if it had begun `seconds_ago`; returns it with these times."""
    moved = Made(made.saga_id, made.name)
    by = time.time_ns() // 10**6 * 10**6 - round(seconds_ago * 1e9) - START_NS
    moved.spans = [_span(span, by) for span in made.spans]
    moved.logs = [_log(log, by) for log in made.logs]
    for signal, document in (
        ("traces", otlp_write.write_spans(moved.spans)),
        ("logs", otlp_write.write_logs(moved.logs)),
    ):
        answer = client.post(signal, json.dumps(document).encode(), _JSON)
        assert answer.status_code == 200, answer.text
    return moved


def _span(span: SpanRecord, by: int) -> SpanRecord:
    events = [EventRecord(e.time_ns + by, e.name, e.attributes) for e in span.events]
    started, ended = span.started_ns + by, span.ended_ns + by
    return replace(span, started_ns=started, ended_ns=ended, events=events)


def _log(log: LogRecord, by: int) -> LogRecord:
    return replace(log, time_ns=log.time_ns + by)
