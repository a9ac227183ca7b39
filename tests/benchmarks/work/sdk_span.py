"""What `make bench-quick` measures by: a span of the SDK with attributes, ended and encoded."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind

from tests.benchmarks.work.base import Work

_ATTRIBUTES: Final[Mapping[str, str | int]] = {
    "http.request.method": "GET",
    "url.scheme": "http",
    "url.path": "/orders/7",
    "http.route": "/orders/{order_id}",
    "server.address": "orders.example",
    "server.port": 8000,
    "user_agent.original": "python-httpx/0.28.1",
    "http.response.status_code": 200,
}


class _Kept(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class SdkSpan(Work):
    name = "sdk_span"

    async def open(self) -> None:
        self._kept = _Kept()
        provider = TracerProvider()
        provider.add_span_processor(self._kept)
        self._tracer = provider.get_tracer("bench")

    async def burst(self, count: int) -> None:
        for _ in range(count):
            with self._tracer.start_as_current_span(
                "GET /orders/{order_id}", kind=SpanKind.SERVER, attributes=_ATTRIBUTES
            ):
                pass
        encode_spans(self._kept.spans).SerializeToString()
        self._kept.spans.clear()


work = SdkSpan
