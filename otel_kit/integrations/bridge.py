"""Edge metrics from spans that other instrumentations make: one hop, never two spans.

Spans of any scope but ours whose kind is CLIENT, SERVER, PRODUCER or CONSUMER are hops; what the
headers said about the caller is written onto the span when it starts, so nothing is kept here for
spans that are still under way, or that never end.

Two things such a span cannot tell.  The "receive" spans of OpenTelemetry's Kafka instrumentations
are over before the message is handled: they count, and their dwell is right, but their duration is
not that of handling.  And a server is known by its address (or `OTEL_KIT_PEERS`), as nobody reads
its `Server-Timing`.
"""

import time
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, get_current_span
from opentelemetry.trace.propagation import set_span_in_context

from otel_kit import names
from otel_kit.hops import current, is_own
from otel_kit.hops.edges import SIDES, Edge, Wait
from otel_kit.hops.propagation import MISSING, Inbound, arrival
from otel_kit.hops.runtime import Runtime
from otel_kit.integrations import _foreign
from otel_kit.integrations._foreign import Reading

_INBOUND = (SpanKind.SERVER, SpanKind.CONSUMER)
_ANSWERED = ("http", "grpc", _foreign.TEMPORAL)
"""Transports behind which another service may count the hop too, unknown to this side."""


class Bridge:
    """A span processor's two ends; `_wiring` adds it to the tracer provider."""

    def on_start(self, span: Span, parent: Context | None) -> None:
        """Mark the span as a hop, and write onto it what the headers said about its caller."""
        kind = getattr(span, "kind", SpanKind.INTERNAL)
        if kind is SpanKind.INTERNAL or is_own(parent) or (runtime := current()) is None:
            return
        try:
            _start(runtime, span, kind, get_current() if parent is None else parent)
        except Exception as error:  # the guard: telemetry never harms the application
            runtime.broke("bridge a span's start", error)

    def on_end(self, span: object) -> None:
        """Record the hop that this span was."""
        kind = getattr(span, "kind", SpanKind.INTERNAL)
        if kind is SpanKind.INTERNAL or _foreign.is_ours(span) or (runtime := current()) is None:
            return
        try:
            self._end(runtime, span, kind, getattr(span, "attributes", None) or {})
        except Exception as error:
            runtime.broke("bridge a span's end", error)

    def _end(self, runtime: Runtime, span: Any, kind: SpanKind, attributes: Any) -> None:
        if names.SPAN_BRIDGED not in attributes:
            return
        said = _foreign.read(span.name, kind, attributes)
        if _is_no_crossing(span, kind, attributes, said):
            return
        context = set_span_in_context(NonRecordingSpan(span.context))
        edge = _edge(runtime, span, kind, attributes, said)
        # A batch has no parent and a link to each of its messages.
        messages = 1 if names.SPAN_PROPAGATION in attributes else max(1, len(span.links))
        seconds = max(0, span.end_time - span.start_time) / 1e9
        for _ in range(messages):
            runtime.edges.hop(seconds, edge, None, 1, context)
            if kind is SpanKind.CONSUMER:
                _record_wait(runtime, span, edge, said.group, context)


def _start(runtime: Runtime, span: Span, kind: SpanKind, parent: Context) -> None:
    attributes = getattr(span, "attributes", None) or {}
    said = arrival(parent) if kind in _INBOUND else None
    linked = kind is SpanKind.CONSUMER and bool(getattr(span, "links", None))
    if said is None and not linked and _within_its_own_kind(kind, attributes, parent):
        return
    span.set_attribute(names.SPAN_BRIDGED, True)
    if kind in _INBOUND:
        _introduce(runtime, span, kind, said)


def _introduce(runtime: Runtime, span: Any, kind: SpanKind, said: Inbound | None) -> None:
    """Write the caller onto an inbound span, as the kit's own have it."""
    if said is None and span.parent is not None and span.parent.is_remote:
        said = Inbound("continued", span.parent)  # read by another propagator than ours
    if said is None and kind is SpanKind.SERVER:
        said = MISSING
    if said is None:
        return
    span.set_attribute(names.SPAN_PROPAGATION, said.result)
    client = runtime.peers.client(said.client)
    if client != names.UNKNOWN:
        span.set_attributes({names.SPAN_CLIENT: client, names.PEER_NAME: client})
    if kind is SpanKind.CONSUMER and said.sent_at is not None:
        span.set_attribute(names.SPAN_QUEUE_DURATION, time.time() - said.sent_at)


def _within_its_own_kind(kind: SpanKind, attributes: Any, parent: Context) -> bool:
    """Libraries call each other: two CLIENT spans of one transport are one crossing."""
    outer = get_current_span(parent)
    if getattr(outer, "kind", None) is not kind:
        return False
    transports = {
        _foreign.transport(attributes),
        _foreign.transport(getattr(outer, "attributes", None) or {}),
    }
    return len(transports) == 1 or names.UNKNOWN in transports


def _is_no_crossing(span: Any, kind: SpanKind, attributes: Any, said: Reading) -> bool:
    """Asking a broker for messages is no hop, unless the span continues the message's own trace."""
    if kind is SpanKind.CLIENT:
        return names.MESSAGING_SYSTEM in attributes
    if kind is not SpanKind.CONSUMER or names.SPAN_PROPAGATION in attributes:
        return False
    return said.receives or not (span.links or names.MESSAGING_SYSTEM in attributes)


def _edge(runtime: Runtime, span: Any, kind: SpanKind, attributes: Any, said: Reading) -> Edge:
    error_class = _foreign.error_class(span, attributes)
    failed = error_class and error_class.value
    labels = said.transport, SIDES[kind], said.operation, failed
    if kind in _INBOUND:
        client = str(attributes.get(names.SPAN_CLIENT, names.UNKNOWN))
        unread = "continued" if span.links else "missing"
        result = attributes.get(names.SPAN_PROPAGATION, unread)
        return Edge(client, runtime.service, *labels, False, result, said.destination)
    default = said.transport if kind is SpanKind.PRODUCER else said.address or names.UNKNOWN
    server = runtime.peers.name_of(said.peer or said.address, said.peer or default)
    return Edge(runtime.service, server, *labels, _alone(kind, said.transport, failed))


def _alone(kind: SpanKind, transport: str, failed: str | None) -> bool:
    """Whether nobody at the other side counts this outbound hop: a database's, a failed send's."""
    if kind is SpanKind.PRODUCER:
        return failed is not None
    return transport not in _ANSWERED


def _record_wait(runtime: Runtime, span: Any, edge: Edge, group: str, context: Context) -> None:
    runtime.handed_out.bridged(span.parent)
    seconds = span.attributes.get(names.SPAN_QUEUE_DURATION)
    if seconds is not None:
        ends = edge.client, edge.server, edge.transport
        wait = Wait(*ends, edge.destination, group, seconds < 0)
        runtime.edges.waited(max(0.0, seconds), wait, context)
