"""A program with a stock OpenTelemetry SDK: one trace, one counter, one histogram, one log event.

Run as ``python sdk_program.py grpc|http ENDPOINT``; prints the trace id.
"""

import sys
import time

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor


def exporters(protocol: str, endpoint: str):
    """Span, metric and log exporter."""
    if protocol == "grpc":
        options = {"endpoint": endpoint, "insecure": True}
        return (
            grpc_traces.OTLPSpanExporter(**options),
            grpc_metrics.OTLPMetricExporter(**options),
            grpc_logs.OTLPLogExporter(**options),
        )
    gzip = {"compression": Compression.Gzip}
    return (
        http_traces.OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", **gzip),
        http_metrics.OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", **gzip),
        http_logs.OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", **gzip),
    )


def main() -> None:
    """Send a little of everything."""
    spans, metrics, logs = exporters(*sys.argv[1:3])
    resource = Resource({"service.name": "stock", "service.instance.id": "one"})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    metering = MeterProvider([PeriodicExportingMetricReader(metrics, 60_000)], resource=resource)
    logging = LoggerProvider(resource=resource)
    logging.add_log_record_processor(SimpleLogRecordProcessor(logs))

    meter = metering.get_meter("stock")
    tracer = tracing.get_tracer("stock")
    with tracer.start_as_current_span("parent") as parent:
        meter.create_histogram("wait", "s").record(0.3)
        meter.create_counter("visits").add(2)
        with tracer.start_as_current_span("child"):
            event = LogRecord(timestamp=time.time_ns(), body="hello", event_name="greeting")
            logging.get_logger("stock").emit(event)
    for provider in (tracing, metering, logging):
        provider.shutdown()
    sys.stdout.write(f"{parent.get_span_context().trace_id:032x}")


if __name__ == "__main__":
    main()
