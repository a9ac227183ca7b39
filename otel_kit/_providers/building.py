"""Builds OpenTelemetry's three providers from the settings, each with its pipelines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import Any, Final

from opentelemetry import metrics as api
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from otel_kit import names
from otel_kit._providers.exporters import connect
from otel_kit._providers.losses import Losses
from otel_kit._providers.pipeline import AnyPipeline, Pipeline
from otel_kit._providers.processors import (
    LogPipeline,
    MetricPipeline,
    SpanPipeline,
    data_points,
)
from otel_kit._providers.prometheus import PrometheusEndpoint
from otel_kit._providers.sampler import SagaSampler
from otel_kit._providers.yielding import (
    YieldingLoggerProvider,
    YieldingMeterProvider,
    YieldingTracerProvider,
)
from otel_kit.settings import Settings

_HELD_COLLECTIONS: Final = 8
"""Collections of metrics held back while the collector is away; each may have megabytes."""

_EXEMPLAR_FILTERS: Final[dict[str, Callable[[], sdk_metrics.ExemplarFilter]]] = {
    "always_on": sdk_metrics.AlwaysOnExemplarFilter,
    "always_off": sdk_metrics.AlwaysOffExemplarFilter,
    "trace_based": sdk_metrics.TraceBasedExemplarFilter,
}


@dataclass
class Builder:
    """Builds, and keeps what has to be closed or made anew in a forked child."""

    settings: Settings
    losses: Losses = field(default_factory=Losses)
    pipelines: list[AnyPipeline] = field(default_factory=list)
    span_pipelines: list[SpanPipeline] = field(default_factory=list)
    metric_pipelines: list[MetricPipeline] = field(default_factory=list)
    endpoints: list[PrometheusEndpoint] = field(default_factory=list)

    def tracer_provider(
        self, sampler: SagaSampler, meters: api.MeterProvider
    ) -> YieldingTracerProvider:
        """Spans, sampled as the settings say."""
        provider = YieldingTracerProvider(sampler, self._resource(), meter_provider=meters)
        for kind in self.settings.traces_exporter:
            pipeline: Pipeline[ReadableSpan] = self._batching("traces", kind, "span")
            self.span_pipelines.append(SpanPipeline(pipeline))
            provider.add_span_processor(self.span_pipelines[-1])
        return provider

    def logger_provider(self, meters: api.MeterProvider) -> YieldingLoggerProvider:
        """Log events."""
        provider = YieldingLoggerProvider(self._resource(), meter_provider=meters)
        for kind in self.settings.logs_exporter:
            pipeline: Pipeline[ReadableLogRecord] = self._batching("logs", kind, "log")
            provider.add_log_record_processor(LogPipeline(pipeline))
        return provider

    def meter_provider(self) -> YieldingMeterProvider:
        """Metrics."""
        return YieldingMeterProvider(
            metric_readers=[self._reader(kind) for kind in self.settings.metrics_exporter],
            resource=self._resource(),
            exemplar_filter=_EXEMPLAR_FILTERS[self.settings.exemplar_filter](),
        )

    def discard(self) -> None:
        """Stop what was started so far."""
        for pipeline in self.pipelines:
            pipeline.close()
        for endpoint in self.endpoints:
            endpoint.close()

    def retire_metrics(self) -> None:
        """Collect once more, for good: from now on measurements go elsewhere.  Does not wait."""
        for reader in self.metric_pipelines:
            reader.retire()
        for endpoint in self.endpoints:
            Thread(target=endpoint.close, daemon=True).start()

    def _resource(self) -> Resource:
        known = {names.SERVICE_NAME: self.settings.service_name}
        return Resource.create({**self.settings.resource_attributes, **known})

    def _batching(self, signal: str, kind: str, prefix: str) -> AnyPipeline:
        return self._pipeline(
            signal,
            kind,
            capacity=getattr(self.settings, f"{prefix}_queue_size"),
            batch=getattr(self.settings, f"{prefix}_batch_size"),
            interval=getattr(self.settings, f"{prefix}_delay") / 1000,
        )

    def _reader(self, kind: str) -> MetricReader:
        if kind == "prometheus":
            self.endpoints.append(PrometheusEndpoint(self.settings))
            reader: MetricReader = self.endpoints[-1].reader
            return reader
        pipeline: Pipeline[MetricsData] = self._pipeline(
            "metrics",
            kind,
            capacity=_HELD_COLLECTIONS,
            batch=1,
            interval=self.settings.metric_interval / 1000,
            size=data_points,
        )
        self.metric_pipelines.append(MetricPipeline(pipeline, pipeline.exporter))
        return self.metric_pipelines[-1]

    def _pipeline(self, signal: str, kind: str, **shape: Any) -> AnyPipeline:
        connected = partial(connect, signal, kind, self.settings)
        self.pipelines.append(Pipeline(signal, connected, self.losses, **shape))
        return self.pipelines[-1]
