"""Sends hand-made sagas to a real collector by OTLP/JSON."""

import json
import time
from dataclasses import replace

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otel_kit.explorer.model import otlp_write
from otel_kit.records import EventRecord, LogRecord, SpanRecord
from tests.embedded import build
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


def figures(times: int) -> list[Metric]:
    """An edge by queue with errors, a breaker, lost context; counts are multiples of `times`."""
    hop = {"client": "orders", "server": "billing", "transport": "kafka", "side": "consumer"}
    queue = {"transport": "kafka", "destination": "q", "group": "billing"}
    breaker = {"name": "bank", "server": "bank"}
    sent = {**hop, "server": "kafka", "side": "producer"}
    context = {"client": "orders", "server": "billing", "transport": "kafka", "destination": "q"}
    states = [
        _gauge("otel_kit.circuit_breaker.state", int(state == "open"), {**breaker, "state": state})
        for state in ("closed", "open", "half_open")
    ]
    return [
        build.histogram("otel_kit.hop.duration", [0.1, 1], [10 * times, 0, 0], **hop),
        build.histogram("otel_kit.hop.duration", [0.1, 1], [10 * times, 0, 0], **sent),
        build.histogram(
            "otel_kit.hop.duration", [0.1, 1], [0, 5 * times, 0], **hop, error_class="timeout"
        ),
        build.histogram(
            "otel_kit.hop.queue.duration", [1, 2], [0, 10 * times, 0],
            client="orders", server="billing", **queue,
        ),
        _counter("otel_kit.circuit_breaker.rejected", 3 * times, breaker),
        _counter("otel_kit.propagation.messages", 7 * times, {**context, "result": "missing"}),
        *states,
    ]  # fmt: skip


def _counter(name: str, value: int, labels: dict[str, str]) -> Metric:
    metric = build.counter(name, value)
    metric.sum.data_points[0].attributes.extend(build.pairs(labels))
    return metric


def _gauge(name: str, value: int, labels: dict[str, str]) -> Metric:
    metric = Metric(name=name, unit="1")
    metric.gauge.data_points.add(
        as_int=value, time_unix_nano=time.time_ns(), attributes=build.pairs(labels)
    )
    return metric
