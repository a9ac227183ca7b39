"""A collector for tests that takes OTLP over gRPC on a free port."""

from __future__ import annotations

from collections import Counter
from concurrent import futures
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc


class GrpcSink:
    """Counts what arrives of each signal: spans, and requests of the other two."""

    def __init__(self, port: int = 0) -> None:
        self.received: Counter[str] = Counter()
        self.refuse = False
        """Refuse spans for good."""
        self.reject = 0
        """So many spans of the next batches are rejected."""
        self._server = grpc.server(
            futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)]
        )
        _add_services(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.target = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()


def _add_services(sink: GrpcSink, server: Any) -> None:
    class Traces(trace_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            if sink.refuse:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
            for resource in request.resource_spans:
                sink.received["traces"] += sum(len(scope.spans) for scope in resource.scope_spans)
            partial = trace_pb.ExportTracePartialSuccess(rejected_spans=sink.reject)
            return trace_pb.ExportTraceServiceResponse(partial_success=partial)

    class Metrics(metrics_grpc.MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            sink.received["metrics"] += 1
            return metrics_pb.ExportMetricsServiceResponse()

    class Logs(logs_grpc.LogsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            sink.received["logs"] += 1
            return logs_pb.ExportLogsServiceResponse()

    trace_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    logs_grpc.add_LogsServiceServicer_to_server(Logs(), server)
