"""OTLP over gRPC, good and bad."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.embedded import build
from tests.embedded.running import Client, collector

SERVICES = ("trace.v1.TraceService", "metrics.v1.MetricsService", "logs.v1.LogsService")


@contextmanager
def _export(client: Client, service: str, **options: object) -> Iterator[Callable[..., bytes]]:
    address = client.otlp_grpc_url.removeprefix("http://")
    with grpc.insecure_channel(address, **options) as channel:
        method = f"/opentelemetry.proto.collector.{service}/Export"
        yield lambda body: channel.unary_unary(method)(body, timeout=20)


def test_spans_are_stored_and_invalid_ones_counted(client: Client) -> None:
    """A gRPC export stores the valid spans and answers with the count of the others."""
    span = build.span()
    body = build.traces([span, build.span(span_id=b"")]).SerializeToString()
    with _export(client, SERVICES[0]) as export:
        answer = ExportTraceServiceResponse.FromString(export(body))

    assert answer.partial_success.rejected_spans == 1
    assert len(client.data(f"/api/traces/{span.trace_id.hex()}")[0]["spans"]) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_malformed_messages_get_invalid_argument(client: Client, service: str) -> None:
    """Bytes that are not the request's message are refused with INVALID_ARGUMENT."""
    with _export(client, service) as export, pytest.raises(grpc.RpcError) as caught:
        export(b"\xff\xff")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "protobuf" in caught.value.details()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_messages_over_the_limit_get_resource_exhausted(compression: grpc.Compression) -> None:
    """A message over the limit is refused, also when it is small until it is decompressed."""
    with (
        collector(max_body=100_000) as client,
        _export(client, SERVICES[0], compression=compression) as export,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            export(b"\x0a" * 3_000_000)

        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert export(build.traces([build.span()]).SerializeToString()) == b""
