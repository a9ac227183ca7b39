"""Sagas of any shape, for properties: also such as no sane service sends."""

from hypothesis import strategies as st

from otel_kit.records import LinkRecord, LogRecord, SagaDetail, SagaRecord, SpanRecord, TraceRecord
from tests.explorer.building import at

_SERVICES = ("web", "orders", "billing", "bank")
_KINDS = ("internal", "server", "client", "producer", "consumer", "")
_ids = st.integers(1, 14).map(lambda number: f"{number:016x}")
_traces = st.integers(1, 3).map(lambda number: f"{number:032x}")
_said = st.fixed_dictionaries(
    {"saga.id": st.just("order-1")},
    optional={
        "otel_kit.queue.duration": st.floats(-1, 1) | st.just("soon"),
        "otel_kit.server.duration": st.floats(0, 1),
        "otel_kit.propagation": st.sampled_from(["continued", "missing", "stale"]),
        "otel_kit.retry.attempt": st.integers(0, 3),
        "otel_kit.error_class": st.sampled_from(["timeout", "breaker_open"]),
        "messaging.destination.name": st.sampled_from(["q", "r"]),
        "service.peer.name": st.sampled_from(_SERVICES),
        "saga.step": st.sampled_from(["a", "b"]),
        "saga.step.kind": st.sampled_from(["action", "compensation", "nonsense"]),
        "saga.compensates": st.sampled_from(["a", "b"]),
        "saga.outcome": st.sampled_from(["completed", "failed", "nonsense"]),
    },
)


@st.composite
def spans(draw: st.DrawFn) -> SpanRecord:
    """A span with ids that often meet, circles and self-parents included."""
    start = draw(st.integers(0, 60))
    return SpanRecord(
        trace_id=draw(_traces),
        span_id=draw(_ids),
        parent_span_id=draw(st.none() | _ids),
        name=draw(st.sampled_from(["a", "b"])),
        kind=draw(st.sampled_from(_KINDS)),
        service=draw(st.sampled_from(_SERVICES)),
        started_ns=at(start),
        ended_ns=at(start + draw(st.integers(-2, 40))),
        status=draw(st.sampled_from(["unset", "error"])),
        status_message="",
        attributes=draw(_said),
        resource={},
        links=[
            LinkRecord(trace_id, span_id, {})
            for trace_id, span_id in draw(st.lists(st.tuples(_traces, _ids), max_size=2))
        ],
    )


@st.composite
def _logs(draw: st.DrawFn) -> LogRecord:
    when, service = at(draw(st.integers(0, 90))), draw(st.sampled_from(_SERVICES))
    return LogRecord(
        when, service, "INFO", "saga.step.started", "", draw(_traces), draw(_ids), draw(_said), {}
    )


@st.composite
def sagas(draw: st.DrawFn) -> SagaDetail:
    """A saga of up to 14 spans in up to three traces, with started events."""
    traces: dict[str, list[SpanRecord]] = {}
    for span in draw(st.lists(spans(), max_size=14)):
        traces.setdefault(span.trace_id, []).append(span)
    row = SagaRecord("order-1", "order", "running", None, at(0), 0.1, (), 0, list(traces))
    found = [TraceRecord(trace_id, each) for trace_id, each in traces.items()]
    return SagaDetail(row, found, draw(st.lists(_logs(), max_size=4)))
