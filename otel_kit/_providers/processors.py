"""Where the SDK hands telemetry over: a span processor, a log processor, a metric reader."""

from __future__ import annotations

import copy
from time import monotonic
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otel_kit._providers.pipeline import Pipeline

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

_MAX_OPEN = 100_000
"""Spans under way that are remembered; some instrumentations never end theirs."""


def data_points(data: MetricsData) -> int:
    """How many data points a collection of metrics has."""
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


class SpanPipeline(SpanProcessor):
    """Hands sampled spans to a pipeline.

    A span that was open at a fork is the parent's: ended in the child too, it is not sent twice.
    """

    def __init__(self, pipeline: Pipeline[ReadableSpan]) -> None:
        self._pipeline = pipeline
        self._open: set[int] = set()
        self._inherited: set[int] = set()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember that the span is under way."""
        if len(self._open) < _MAX_OPEN and span.context:
            self._open.add(span.context.span_id)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand the span in."""
        context = span.context
        if context is None:
            return
        self._open.discard(context.span_id)
        if context.trace_flags.sampled and context.span_id not in self._inherited:
            self._pipeline.put(span)

    def forget_parent(self) -> None:
        """In a forked child: spans under way are not ours."""
        self._inherited |= self._open
        self._open = set()

    def shutdown(self) -> None:
        """The providers close the pipelines, with one deadline for all; nothing to do here."""

    def force_flush(self, timeout_millis: int | None = 30_000) -> bool:
        """Deliver what was handed in.  False if it did not arrive within the time, in ms."""
        return self._pipeline.flush(_deadline(timeout_millis)).wait()


class LogPipeline(LogRecordProcessor):
    """Hands log records to a pipeline."""

    def __init__(self, pipeline: Pipeline[ReadableLogRecord]) -> None:
        self._pipeline = pipeline

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Hand the record in, without the context it was made in: that may hold large objects."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        self._pipeline.put(
            ReadableLogRecord(
                log_record=record,
                resource=log_record.resource or Resource.get_empty(),
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        """See `SpanPipeline.shutdown`."""

    def force_flush(self, timeout_millis: int | None = 30_000) -> bool:
        """Deliver what was handed in.  False if it did not arrive within the time, in ms."""
        return self._pipeline.flush(_deadline(timeout_millis)).wait()


class MetricPipeline(MetricReader):
    """Collects metrics when the pipeline asks for them, and hands them to it."""

    def __init__(self, pipeline: Pipeline[MetricsData], exporter: MetricExporter) -> None:
        super().__init__(
            preferred_temporality=exporter._preferred_temporality,
            preferred_aggregation=exporter._preferred_aggregation,
        )
        self._pipeline = pipeline
        self._last = self._retired = False
        pipeline.produce = self._produce

    def retire(self) -> None:
        """Collect and deliver once more, and never again.  Does not wait."""
        self._last = True
        self._pipeline.flush(_deadline(None))

    def _produce(self) -> None:
        if self._collect is not None and not self._retired:
            self._retired = self._last
            self.collect()

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any
    ) -> None:
        self._pipeline.put(metrics_data)

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """See `SpanPipeline.shutdown`."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and deliver.  False if it did not arrive within the time, in ms."""
        return self._pipeline.flush(_deadline(timeout_millis)).wait()


def _deadline(timeout_millis: float | None) -> float:
    return monotonic() + (30_000 if timeout_millis is None else timeout_millis) / 1000
