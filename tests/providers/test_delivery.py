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
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_kit import names
from otel_kit._providers import api_globals
from tests.providers.conftest import Make
from tests.providers.grpc_sink import GrpcSink
from tests.providers.sink import WAIT, Answer, Sink, black_hole, refusing

NEVER = str(10**9)
"""Milliseconds: nothing is exported but by a flush."""
MANUAL = {
    "OTEL_BSP_SCHEDULE_DELAY": NEVER,
    "OTEL_BLRP_SCHEDULE_DELAY": NEVER,
    "OTEL_METRIC_EXPORT_INTERVAL": NEVER,
}
SPANS_ONLY = MANUAL | {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def spans(count: int, name: str = "span") -> None:
    """Make some spans."""
    tracer = trace.get_tracer("test")
    for _ in range(count):
        tracer.start_span(name).end()


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


def test_grpc(make: Make) -> None:
    """OTLP over gRPC delivers the three signals."""
    with GrpcSink() as sink:
        providers = make(sink.target, **MANUAL, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        spans(3)
        metrics.get_meter("test").create_counter("orders").add(3)
        _logs.get_logger("test").emit(event_name="hello")
        assert providers.flush(WAIT)
        assert sorted(sink.received) == ["logs", "metrics", "traces"]


def test_grpc_collector_is_away(make: Make) -> None:
    """Over gRPC a flush to nobody is False, and what was held back arrives afterwards."""
    with refusing() as port:
        url = f"http://127.0.0.1:{port}"
        providers = make(url, **SPANS_ONLY, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        spans(3)
        assert not providers.flush(WAIT)
    with GrpcSink(port) as sink:
        assert providers.flush(WAIT)
        assert sink.received == {"traces": 3}
    assert providers.lost() == {}


def test_grpc_refusal_and_rejection_are_counted(make: Make) -> None:
    """Over gRPC too, spans refused for good and spans rejected in part are counted."""
    with GrpcSink() as sink:
        providers = make(sink.target, **SPANS_ONLY, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        sink.refuse = True
        spans(3)
        assert not providers.flush(WAIT)
        sink.refuse, sink.reject = False, 2
        spans(5)
        assert not providers.flush(WAIT)
    assert providers.lost() == {("traces", "export_failed"): 3, ("traces", "rejected"): 2}


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


# -- exporters other than OTLP -----------------------------------------------------------


def test_console(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """The console exporter prints the three signals."""
    console = dict.fromkeys(
        ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "console"
    )
    providers = make(**MANUAL, **console)
    spans(1, "a span")
    metrics.get_meter("test").create_counter("a_counter").add(1)
    _logs.get_logger("test").emit(event_name="an event")
    assert providers.flush(WAIT)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("a span", "a_counter", "an event"))


def test_no_exporter(make: Make) -> None:
    """Exporters that are switched off leave nothing to deliver and nothing to lose."""
    none = dict.fromkeys(
        ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none"
    )
    providers = make(**none)
    spans(10)
    assert providers.flush(WAIT)
    assert providers.lost() == {}


def test_two_exporters(make: Make, sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """Two exporters for one signal each get all of it."""
    providers = make(sink.url, **SPANS_ONLY, OTEL_TRACES_EXPORTER="otlp,console")
    spans(1, "a span")
    assert providers.flush(WAIT)
    assert sink.names() == ["a span"]
    assert "a span" in capsys.readouterr().out


# -- providers that are there already ------------------------------------------------------


@pytest.fixture
def applications() -> Iterator[tuple[InMemorySpanExporter, Any]]:
    """Providers that the application has set before."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(meter_provider)
    _logs.set_logger_provider(logger_provider)
    yield exporter, reader
    api_globals.withdraw(tracer_provider, meter_provider, logger_provider)


def test_joins_the_application(
    make: Make, sink: Sink, applications: tuple[InMemorySpanExporter, Any]
) -> None:
    """Providers the application has set are used, added to, and not shut down by the kit."""
    exporter, reader = applications
    before = trace.get_tracer_provider()
    providers = make(sink.url, **MANUAL)
    assert providers.tracer_provider is before is trace.get_tracer_provider()
    ended: list[str] = []
    providers.watch(lambda span, parent: None, lambda span: ended.append(span.name))
    spans(1, "seen")
    assert providers.flush(WAIT)
    assert providers.shutdown(WAIT)
    assert trace.get_tracer_provider() is before
    spans(1, "after")
    assert [span.name for span in exporter.get_finished_spans()] == ["seen", "after"]
    assert ended == ["seen"]
    assert sink.spans() == []
    metrics.get_meter("test").create_counter("alive").add(1)
    assert reader.get_metrics_data() is not None


def test_makes_what_is_missing(make: Make, sink: Sink, request: pytest.FixtureRequest) -> None:
    """An application with a tracer provider only gets a meter and a logger provider."""
    mine = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(mine)
    request.addfinalizer(lambda: api_globals.withdraw(mine))
    providers = make(sink.url, **MANUAL)
    metrics.get_meter("test").create_counter("orders").add(1)
    assert providers.flush(WAIT)
    assert providers.tracer_provider is mine
    assert sink.points("orders")


def test_shutdown_unsets_what_it_set(make: Make, sink: Sink) -> None:
    """After a shutdown the global providers can be made anew, and work."""
    first = make(sink.url, **MANUAL)
    first.shutdown(WAIT)
    second = make(sink.url, **MANUAL)
    spans(1, "second")
    metrics.get_meter("test").create_counter("orders").add(1)
    assert second.flush(WAIT)
    assert sink.names() == ["second"]
    assert sink.points("orders")


def test_exemplars_name_sampled_traces(make: Make, sink: Sink) -> None:
    """A measurement within a kept span has that span as its exemplar."""
    providers = make(sink.url, **MANUAL)
    histogram = metrics.get_meter("test").create_histogram("duration")
    with trace.get_tracer("test").start_as_current_span("kept") as span:
        histogram.record(1.0)
    assert providers.flush(WAIT)
    (request,) = sink.requests("/v1/metrics")
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    (exemplar,) = metric.histogram.data_points[0].exemplars
    assert exemplar.span_id == span.get_span_context().span_id.to_bytes(8, "big")
