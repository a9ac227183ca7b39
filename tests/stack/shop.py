"""Four services on two machines that handle orders; it remembers each span that it sent."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import cycle
from types import TracebackType
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    SpanContext,
    StatusCode,
    Tracer,
    format_trace_id,
    set_span_in_context,
)

from collector.stack.process import HOST
from otel_kit import names

SERVICES: Final = ("web", "orders", "inventory", "billing")
# Caller and callee of each trace of an order: neighbours in the list are on different machines.
_TRACES: Final = (("web", "orders"), ("orders", "inventory"), ("inventory", "billing"))

SpanIds = set[tuple[str, str]]
"""Trace id and span id, in hexadecimal."""


class Shop:
    """Each service sends to the agent of its machine."""

    def __init__(self, agent_ports: Iterable[int]) -> None:
        ports = cycle(agent_ports)
        self._providers = {service: _provider(service, next(ports)) for service in SERVICES}
        self.sent: dict[str, SpanIds] = defaultdict(set)
        self.failed: set[str] = set()

    def order(self, saga_id: str, *, fails: bool) -> None:
        """Three traces, each over two machines; at most its very last span has failed."""
        for number, (caller, callee) in enumerate(_TRACES):
            with self._tracer(caller).start_as_current_span("call", context=Context()) as call:
                call.set_attribute(names.SAGA_ID, saga_id)
                parent = set_span_in_context(call)
                with self._tracer(callee).start_as_current_span("handle", parent) as handle:
                    handle.set_attribute(names.SAGA_ID, saga_id)
                    if fails and number == len(_TRACES) - 1:
                        handle.set_status(StatusCode.ERROR)
            self.sent[saga_id] |= {_ids(span.get_span_context()) for span in (call, handle)}
        if fails:
            self.failed.add(saga_id)

    def flush(self) -> None:
        """Return when the agents have all of it."""
        for provider in self._providers.values():
            assert provider.force_flush()

    def _tracer(self, service: str) -> Tracer:
        return self._providers[service].get_tracer("shop")

    def __enter__(self) -> "Shop":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for provider in self._providers.values():
            provider.shutdown()


def _provider(service: str, port: int) -> TracerProvider:
    provider = TracerProvider(resource=Resource({"service.name": service}))
    exporter = OTLPSpanExporter(f"http://{HOST}:{port}/v1/traces")
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=20_000, schedule_delay_millis=100)
    )
    return provider


def _ids(context: SpanContext) -> tuple[str, str]:
    return format_trace_id(context.trace_id), f"{context.span_id:016x}"
