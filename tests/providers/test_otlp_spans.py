"""OpenTelemetry's exporters with the kit's encoder: everything else is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_module
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_module
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExportResult

from otel_kit._providers import otlp_grpc, otlp_spans
from otel_kit._providers.otlp_encoding import SpanEncoder
from tests.providers.conftest import Make
from tests.providers.grpc_sink import GrpcSink
from tests.providers.sink import WAIT, Sink
from tests.providers.telemetry import SPANS_ONLY, spans


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that the kit's encoder has encoded."""
    sizes: list[int] = []
    encode = SpanEncoder.encode

    def counting(self: SpanEncoder, batch: Sequence[ReadableSpan]) -> bytes:
        sizes.append(len(batch))
        return encode(self, batch)

    monkeypatch.setattr(SpanEncoder, "encode", counting)
    return sizes


def test_http_is_encoded_by_the_kit(make: Make, sink: Sink, encoded: list[int]) -> None:
    """Over HTTP spans are encoded by the kit, and go where and as the environment says."""
    headers = {"OTEL_EXPORTER_OTLP_HEADERS": "tenant=7", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    providers = make(sink.url, **SPANS_ONLY, **headers)
    with trace.get_tracer("test").start_as_current_span("outer", attributes={"a": (1, None)}):
        spans(2)
    assert providers.flush(WAIT)
    assert (encoded, sink.names()) == ([3], ["outer", "span", "span"])
    assert (sink.headers()[0]["tenant"], sink.headers()[0]["content-encoding"]) == ("7", "gzip")
    assert sink.resources()[0]["service.name"] == "orders"


def test_grpc_is_encoded_by_the_kit(make: Make, encoded: list[int]) -> None:
    """Over gRPC too."""
    with GrpcSink() as sink:
        grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        providers = make(sink.target, **SPANS_ONLY, **grpc)
        spans(3)
        assert providers.flush(WAIT)
        assert (encoded, sink.received) == ([3], {"traces": 3})


def test_a_request_that_is_too_large(sink: Sink) -> None:
    """The exporter's own limit of a request's size holds for what the kit encodes."""
    exporter = otlp_spans.encoding_directly(OTLPSpanExporter)(
        f"{sink.url}/v1/traces", max_request_size=500
    )
    results = [exporter.export([_span(name)]) for name in ("small", "large" * 100)]
    assert results == [SpanExportResult.SUCCESS, SpanExportResult.FAILURE]
    assert sink.names() == ["small"]


class OtherHttp(OTLPSpanExporter):
    """One that encodes in another way."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export(spans)


class OtherGrpc(GrpcSpanExporter):
    """One that keeps its channel elsewhere."""

    def _initialize_channel_and_stub(self) -> None:
        super()._initialize_channel_and_stub()
        self._elsewhere = self.__dict__.pop("_channel")

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        self._elsewhere.close()


def test_another_http_exporter(make: Make, sink: Sink, encoded: list[int]) -> None:
    """An exporter over HTTP that is not as the kit knows it encodes by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_module, "OTLPSpanExporter", OtherHttp)
        providers = make(sink.url, **SPANS_ONLY)
        spans(3)
        assert providers.flush(WAIT)
    assert (encoded, len(sink.spans())) == ([], 3)


def test_another_grpc_exporter(make: Make, encoded: list[int]) -> None:
    """An exporter over gRPC that is not as the kit knows it encodes by itself."""
    with GrpcSink() as sink, pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpc_module, "OTLPSpanExporter", OtherGrpc)
        providers = make(sink.target, **SPANS_ONLY, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        spans(3)
        assert providers.flush(WAIT)
        assert (encoded, sink.received) == ([], {"traces": 3})


def test_exporters_that_do_not_encode() -> None:
    """A class in which the kit finds no encoding is used as it is."""
    assert otlp_spans.encoding_directly(ConsoleSpanExporter) is ConsoleSpanExporter
    assert otlp_grpc.encoding_directly(ConsoleSpanExporter) is ConsoleSpanExporter


def test_applications_exporter_is_left_alone(make: Make, sink: Sink, encoded: list[int]) -> None:
    """An exporter that the application makes for itself encodes as ever."""
    make(sink.url, **SPANS_ONLY)
    exporter = OTLPSpanExporter(f"{sink.url}/v1/traces")
    assert exporter.export([_span("its own")]) is SpanExportResult.SUCCESS
    assert (encoded, sink.names()) == ([], ["its own"])


def _span(name: str) -> ReadableSpan:
    return ReadableSpan(name, trace.SpanContext(1, 2, False), start_time=1, end_time=2)
