"""Spans, metrics and log events in memory: for the kit's own tests, and for yours.

with otel_kit.testing.capture("orders") as telemetry:
    place_order()
assert telemetry.span(kind=SpanKind.CLIENT).attributes["service.peer.name"] == "billing"

In pytest the same is the fixture `telemetry`, which is there as soon as the kit is installed:

def test_an_order_is_compensated(telemetry):
    place_order("ORD-1")
    telemetry.saga("ORD-1").reached("compensated").via("orders", "billing").within(5)
    telemetry.assert_propagated()
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit._providers.hop_spans import HopTracerProvider
from otel_kit._providers.measuring import MeasuringMeterProvider
from otel_kit._wiring import OnEnd, OnStart, wire
from otel_kit.settings import Settings
from otel_kit.testing.sagas import RecordedSaga


@dataclass(frozen=True, slots=True)
class Point:
    """One series of a metric: its labels, and its count (of measurements) and sum, or its value."""

    labels: Mapping[str, Any]
    count: int
    sum: float


class _Hooks(SpanProcessor):
    def __init__(self, on_start: OnStart, on_end: OnEnd) -> None:
        self._on_start = on_start
        self._on_end = on_end

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._on_end(span)


@dataclass
class Telemetry:
    """What was recorded so far."""

    service: str
    sampler: Sampler = ALWAYS_ON
    _spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    _reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    _logs: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)

    def __post_init__(self) -> None:
        resource = Resource({names.SERVICE_NAME: self.service})
        self.tracer_provider = HopTracerProvider(self.sampler, resource, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeasuringMeterProvider(
            [self._reader], resource, shutdown_on_exit=False
        )
        self.logger_provider = LoggerProvider(resource, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))

    def watch(self, on_start: OnStart, on_end: OnEnd) -> None:
        """Add a span processor made of two functions."""
        self.tracer_provider.add_span_processor(_Hooks(on_start, on_end))

    @property
    def spans(self) -> list[ReadableSpan]:
        """Spans that have ended, in the order of their ends."""
        return list(self._spans.get_finished_spans())

    @property
    def logs(self) -> list[ReadableLogRecord]:
        """Log records and events, in order."""
        return list(self._logs.get_finished_logs())

    def matching(self, name: str | None = None, kind: SpanKind | None = None) -> list[ReadableSpan]:
        """The ended spans of that name and kind."""
        return [
            span
            for span in self.spans
            if name in (None, span.name) and (kind is None or span.kind is kind)
        ]

    def span(self, name: str | None = None, kind: SpanKind | None = None) -> ReadableSpan:
        """The one ended span of that name and kind; AssertionError if there is none, or more."""
        found = self.matching(name, kind)
        seen = [f"{span.kind.name} {span.name}" for span in self.spans]
        assert len(found) == 1, f"{len(found)} spans match name={name} kind={kind} among {seen}"
        return found[0]

    def points(self, metric: str, **labels: Any) -> list[Point]:
        """The series of `metric` that have these labels."""
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for raw in each.data.data_points
            if labels.items() <= (point := _point(raw)).labels.items()
        ]

    def saga(self, saga_id: str) -> RecordedSaga:
        """The saga of this id, to say what is expected of it; AssertionError if there is none."""
        return RecordedSaga(saga_id, self.spans)

    def assert_propagated(self, *, entry: Collection[str] = ()) -> None:
        """Every hop that came in has continued its caller's or sender's context.

        `entry` has the transports (`http`, …) or destinations (topics, queues) by which something
        comes without context because the test itself sends it.  AssertionError names the hops that
        had none, or a bad one; it is raised too if nothing came in at all.
        """
        arrived = self.points(names.PROPAGATION_MESSAGES)
        assert arrived, "no hop came in: nothing could be continued"
        lost = [
            point
            for point in arrived
            if point.labels[names.RESULT] != "continued"
            and not {point.labels[names.TRANSPORT], point.labels[names.DESTINATION]} & {*entry}
        ]
        assert not lost, "context was lost: " + "; ".join(
            "{client} → {server} by {transport} {destination}".format_map(point.labels).rstrip()
            + f": {point.labels[names.RESULT]} ({point.count} times)"
            for point in lost
        )

    def count(self, metric: str, **labels: Any) -> int:
        """How many measurements (of a counter: its value) the series with these labels have."""
        return sum(point.count for point in self.points(metric, **labels))


def _point(raw: Any) -> Point:
    value = getattr(raw, "value", None)
    if value is not None:
        return Point(dict(raw.attributes), int(value), float(value))
    return Point(dict(raw.attributes), raw.count, raw.sum)


@contextmanager
def capture(
    service: str = "test", *, sampler: Sampler = ALWAYS_ON, strict: bool = True, **settings: Any
) -> Iterator[Telemetry]:
    """Instrument this process, keep all telemetry in memory, and put everything back at the end.

    `settings` are those of `Settings`; nothing is read from the environment.
    """
    telemetry = Telemetry(service, sampler)
    undo = wire(
        Settings.from_environment(service, {}, strict=strict, **settings),
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        logger_provider=telemetry.logger_provider,
        watch=telemetry.watch,
    )
    try:
        yield telemetry
    finally:
        undo()
