"""Getting telemetry to a collector that is there, is away, comes back, refuses, or says nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb

from otel_kit import names
from tests.providers.conftest import Make
from tests.providers.sink import WAIT, Answer, Sink, black_hole, refusing
from tests.providers.telemetry import MANUAL, SPANS_ONLY, spans


@contextmanager
def first_line() -> Iterator[SimpleQueue[str]]:
    """What the kit says in the log, to wait for."""
    said: SimpleQueue[str] = SimpleQueue()
    handler = logging.Handler()
    handler.emit = lambda record: said.put(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("otel_kit").addHandler(handler)
    yield said
    logging.getLogger("otel_kit").removeHandler(handler)


def test_everything_arrives(make: Make, sink: Sink) -> None:
    """Spans, metrics and log events arrive with the service's name and the headers asked for."""
    providers = make(
        sink.url,
        **MANUAL,
        OTEL_EXPORTER_OTLP_HEADERS="x-tenant=blue",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
    )
    spans(1000)
    metrics.get_meter("test").create_counter("orders").add(3)
    _logs.get_logger("test").emit(event_name="hello")
    assert providers.flush(WAIT)
    assert sink.names() == ["span"] * 1000
    assert [value for _, _, value in sink.points("orders")] == [3]
    assert [record.event_name for record in sink.logs()] == ["hello"]
    resource = sink.resources()[0]
    assert resource["service.name"] == "orders"
    assert resource["deployment.environment.name"] == "test"
    assert all(headers["x-tenant"] == "blue" for headers in sink.headers())
    assert providers.lost() == {}


def test_connection_is_kept(make: Make, sink: Sink) -> None:
    """One connection serves many exports."""
    providers = make(sink.url, **SPANS_ONLY)
    for _ in range(5):
        spans(1)
        assert providers.flush(WAIT)
    assert len(sink.connections) == 1


def test_full_batch_is_sent_at_once(make: Make, sink: Sink) -> None:
    """A full batch is sent without waiting for the interval, and without anyone asking."""
    make(sink.url, **SPANS_ONLY | {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"})
    spans(10)
    sink.wait_for(lambda: len(sink.spans()) == 10)


def test_interval_sends_what_there_is(make: Make, sink: Sink) -> None:
    """Spans, logs and metrics are sent at their intervals, and without anyone asking."""
    fast = dict.fromkeys(MANUAL, "20")
    make(sink.url, **fast)
    spans(1)
    metrics.get_meter("test").create_counter("orders").add(3)
    _logs.get_logger("test").emit(event_name="hello")
    sink.wait_for(lambda: sink.spans() and sink.logs() and sink.points("orders"))


def test_lost_is_sent_minus_received(make: Make, sink: Sink) -> None:
    """While the collector is away the oldest give way: what is lost is exactly sent minus received,
    and the counter arrives when the collector is back.
    """
    with refusing() as port:
        providers = make(f"http://127.0.0.1:{port}", **MANUAL, OTEL_BSP_MAX_QUEUE_SIZE="100")
        spans(50, "old")
        assert not providers.flush(WAIT)
        spans(250, "new")
        lost = providers.lost()[("traces", "queue_full")]
    back = Sink(port)
    try:
        assert providers.flush(WAIT)
        assert 300 - len(back.spans()) == lost == 200
        reported = back.points(names.TELEMETRY_LOST)[-1]
        assert reported[1:] == ({names.SIGNAL: "traces", names.REASON: "queue_full"}, lost)
    finally:
        back.close()


def test_collector_returns_without_a_flush(make: Make) -> None:
    """What was held back while the collector was away is sent again without anyone asking."""
    with refusing() as port, first_line() as said:
        fast = SPANS_ONLY | {"OTEL_BSP_SCHEDULE_DELAY": "10"}
        providers = make(f"http://127.0.0.1:{port}", **fast)
        spans(20)
        assert "cannot be delivered" in said.get(timeout=WAIT)
    back = Sink(port)
    try:
        back.wait_for(lambda: len(back.spans()) == 20)
    finally:
        back.close()
    assert providers.lost() == {}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_collector_is_asked_again(make: Make, sink: Sink, status: int) -> None:
    """A batch that a busy collector turns away is held, and sent when it may be."""
    providers = make(sink.url, **SPANS_ONLY)
    sink.answers["/v1/traces"] = Answer(status)
    spans(7)
    assert not providers.flush(WAIT)
    del sink.answers["/v1/traces"]
    assert providers.flush(WAIT)
    assert len(sink.spans()) == 7
    assert providers.lost() == {}


def test_busy_collector_says_when(make: Make, sink: Sink) -> None:
    """A flush does not wait for a collector that asks for more time than there is."""
    providers = make(sink.url, **SPANS_ONLY)
    sink.answers["/v1/traces"] = Answer(503, headers={"retry-after": "3600"})
    spans(1)
    assert not providers.flush(WAIT)
    assert len(sink.headers()) == 1


@pytest.mark.parametrize("status", [302, 400, 401, 404, 413, 500])
def test_refused_for_good_is_counted(make: Make, sink: Sink, status: int) -> None:
    """A batch that a collector refuses for good is counted, and does not stop the next."""
    providers = make(sink.url, **SPANS_ONLY)
    sink.answers["/v1/traces"] = Answer(status)
    spans(7)
    assert not providers.flush(WAIT)
    assert providers.lost() == {("traces", "export_failed"): 7}
    del sink.answers["/v1/traces"]
    spans(1, "next")
    assert providers.flush(WAIT)
    assert sink.names() == ["next"]


def test_partial_success_is_counted(make: Make, sink: Sink) -> None:
    """Spans that a collector rejects of a batch it accepts are counted."""
    partial = trace_pb.ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    answer = trace_pb.ExportTraceServiceResponse(partial_success=partial)
    sink.answers["/v1/traces"] = Answer(body=answer.SerializeToString())
    providers = make(sink.url, **SPANS_ONLY)
    spans(5)
    assert not providers.flush(WAIT)
    assert providers.lost() == {("traces", "rejected"): 3}


def test_strange_answer_is_bounded(make: Make, sink: Sink) -> None:
    """An answer that is large and no OTLP does no harm."""
    sink.answers["/v1/traces"] = Answer(body=b"\xff" * 1_000_000)
    providers = make(sink.url, **SPANS_ONLY)
    spans(1)
    assert providers.flush(WAIT)
    assert providers.lost() == {}


def test_flush_of_a_black_hole_ends(make: Make) -> None:
    """A flush to a collector that accepts and never answers is False at its deadline."""
    with black_hole() as url:
        providers = make(url, **MANUAL)
        spans(10)
        metrics.get_meter("test").create_counter("orders").add(1)
        assert not providers.flush(0.3)
        assert providers.lost() == {}


def test_shutdown_counts_what_it_leaves(make: Make) -> None:
    """A shutdown that meets its deadline first is False and counts every span and data point."""
    with black_hole() as url:
        providers = make(url, **MANUAL)
        tracer = trace.get_tracer("test")
        spans(1000)
        metrics.get_meter("test").create_counter("orders").add(1)
        assert not providers.shutdown(0.5)
        tracer.start_span("late").end()
    lost = providers.lost()
    assert lost["traces", "shutdown"] == 1001
    # The counter `orders`, and the loss of spans that was counted before the last collection.
    assert lost["metrics", "shutdown"] == 2


def test_shutdown_loses_nothing(make: Make, sink: Sink) -> None:
    """A shutdown delivers what is queued, and a second one has nothing left to do."""
    providers = make(sink.url, **MANUAL)
    spans(3000)
    assert providers.shutdown(WAIT)
    assert providers.shutdown(WAIT)
    lost = providers.lost().get(("traces", "queue_full"), 0)
    assert len(sink.spans()) + lost == 3000


def test_loss_at_shutdown_is_reported(make: Make, sink: Sink) -> None:
    """Spans lost at the shutdown are in the last metrics that are sent."""
    with black_hole() as url:
        providers = make(sink.url, **MANUAL, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{url}/v1/traces")
        spans(5)
        assert not providers.shutdown(1)
    reported = {
        tuple(labels.values()): value for _, labels, value in sink.points(names.TELEMETRY_LOST)
    }
    assert reported == {("traces", "shutdown"): 5}


def test_log_is_not_flooded(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """However many batches fail, a signal says one line, and the exporters none."""
    with refusing() as port, caplog.at_level(logging.INFO):
        providers = make(f"http://127.0.0.1:{port}", **MANUAL, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1")
        spans(20)
        metrics.get_meter("test").create_counter("orders").add(1)
        for _ in range(3):
            assert not providers.flush(WAIT)
    said = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert sorted(record.getMessage().split()[0] for record in said) == ["metrics", "traces"]
    assert all(record.name == "otel_kit" for record in said)


def test_delta_metrics_are_held_back(make: Make) -> None:
    """Counts since the last export, made while the collector was away, are not lost."""
    with refusing() as port:
        providers = make(
            f"http://127.0.0.1:{port}",
            **MANUAL,
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
        )
        counter = metrics.get_meter("test").create_counter("orders")
        for _ in range(3):
            counter.add(2)
            assert not providers.flush(WAIT)
    back = Sink(port)
    try:
        assert providers.flush(WAIT)
        assert [value for _, _, value in back.points("orders")] == [2, 2, 2]
    finally:
        back.close()


def test_exporter_that_cannot_encode(make: Make, sink: Sink) -> None:
    """A span that cannot be encoded is counted and does not stop the others."""
    providers = make(sink.url, **SPANS_ONLY | {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1"})
    tracer = trace.get_tracer("test")
    broken: Any = tracer.start_span("broken")
    broken._name = object()
    broken.end()
    spans(1, "sound")
    assert not providers.flush(WAIT)
    assert sink.names() == ["sound"]
    assert providers.lost() == {("traces", "export_failed"): 1}
