"""OpenTelemetry's SDK and instrumentations, set up in code as "Getting started" and their pages do.

Traces and metrics over OTLP/HTTP, all defaults.
"""

from typing import Any

from tests.benchmarks.peers.base import Peer, flush_providers, opentelemetry

_PREFIX = "opentelemetry-instrumentation-"


class Contrib(Peer):
    title = "OpenTelemetry contrib"
    packages = (
        "opentelemetry-sdk",
        "opentelemetry-exporter-otlp-proto-http",
        *(_PREFIX + name for name in ("fastapi", "flask", "httpx", "requests", "grpc", "aiokafka")),
    )

    def environment(self, sink: str, ratio: float) -> dict[str, str]:
        return opentelemetry(sink, ratio)

    def start(self, work: str) -> None:
        set_providers()
        instrument_library(work)

    def instrument_app(self, work: str, app: Any) -> None:
        if work == "asgi":
            from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

            FastAPIInstrumentor.instrument_app(app)
        else:
            from opentelemetry.instrumentation.flask import FlaskInstrumentor

            FlaskInstrumentor().instrument_app(app)

    def flush(self) -> None:
        flush_providers()


def set_providers() -> None:
    """Traces in batches, metrics once a minute."""
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))


def instrument_library(work: str) -> None:
    """The client library of `work`, or gRPC's both sides; nothing for an application."""
    if work == "httpx":
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor().instrument()
    elif work == "requests":
        from opentelemetry.instrumentation.requests import RequestsInstrumentor

        RequestsInstrumentor().instrument()
    else:
        instrument_rpc(work)


def instrument_rpc(work: str) -> None:
    """What has one instrumentation for both of its sides: gRPC and Kafka."""
    if work == "grpc_aio":
        from opentelemetry.instrumentation import grpc

        grpc.GrpcAioInstrumentorServer().instrument()
        grpc.GrpcAioInstrumentorClient().instrument()
    elif work == "grpc_sync":
        from opentelemetry.instrumentation import grpc

        grpc.GrpcInstrumentorServer().instrument()
        grpc.GrpcInstrumentorClient().instrument()
    elif work.startswith("kafka"):
        from opentelemetry.instrumentation.aiokafka import AIOKafkaInstrumentor

        AIOKafkaInstrumentor().instrument()


peer = Contrib()
