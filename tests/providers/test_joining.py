"""Providers that the application has set before, and global ones that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_kit._providers import api_globals
from tests.providers.conftest import Make
from tests.providers.sink import WAIT, Sink
from tests.providers.telemetry import MANUAL, spans


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
