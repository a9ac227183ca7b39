"""Records from the JSON of the embedded collector's own API."""

from collections.abc import Sequence

from otel_kit import names
from otel_kit.explorer.source.fields import (
    Json,
    mapping,
    nanoseconds,
    objects,
    real,
    text,
    texts,
    whole,
)
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    EventRecord,
    LinkRecord,
    LogRecord,
    PropagationRecord,
    Quantiles,
    QueueRecord,
    SagaDetail,
    SagaRecord,
    SpanRecord,
    StateCount,
    StepRecord,
    TraceRecord,
)

_RESULTS = ("continued", "missing", "invalid", "stale")


def saga(row: Json) -> SagaRecord:
    """A row of ``/api/sagas``."""
    started_ns = whole(row, "started_ns") or nanoseconds(row, "started_at") or 0
    return SagaRecord(
        id=text(row, "id"),
        name=text(row, "name"),
        state=text(row, "state"),
        step=text(row, "step") or None,
        started_ns=started_ns,
        duration_s=real(row, "duration_s") or 0.0,
        services=texts(row.get("services"), "services"),
        errors=whole(row, "errors"),
        trace_ids=texts(row.get("trace_ids"), "trace_ids"),
        active_ns=whole(row, "active_ns") or started_ns,
        retries=whole(row, "retries"),
        steps=tuple(_step(step) for step in objects(row.get("steps"), "steps")),
        failed_step=text(row, "failed_step") or None,
    )


def _step(row: Json) -> StepRecord:
    return StepRecord(
        name=text(row, "name"),
        kind=text(row, "kind"),
        started_ns=whole(row, "started_ns"),
        ended_ns=whole(row, "ended_ns") if row.get("ended_ns") is not None else None,
        result=text(row, "result"),
    )


def state_count(row: Json) -> StateCount:
    """A row of ``/api/saga_counts``."""
    return StateCount(text(row, "state"), whole(row, "count"))


def saga_name(row: Json) -> str:
    """A row of ``/api/saga_names``."""
    return text(row, "name")


def detail(row: Json) -> SagaDetail:
    """The answer of ``/api/sagas/{id}``."""
    traces = [
        TraceRecord(
            text(trace, "trace_id"), [span(s) for s in objects(trace.get("spans"), "spans")]
        )
        for trace in objects(row.get("traces"), "traces")
    ]
    logs = [log(each) for each in objects(row.get("logs"), "logs")]
    return SagaDetail(saga(row), traces, logs, bool(row.get("truncated")))


def span(row: Json) -> SpanRecord:
    """One span."""
    return SpanRecord(
        trace_id=text(row, "trace_id"),
        span_id=text(row, "span_id"),
        parent_span_id=text(row, "parent_span_id") or None,
        name=text(row, "name"),
        kind=text(row, "kind"),
        service=text(row, "service"),
        started_ns=whole(row, "started_ns"),
        ended_ns=whole(row, "ended_ns"),
        status=text(row, "status"),
        status_message=text(row, "status_message"),
        attributes=mapping(row.get("attributes"), "attributes"),
        resource=mapping(row.get("resource"), "resource"),
        scope=text(row, "scope"),
        scope_version=text(row, "scope_version"),
        trace_state=text(row, "trace_state"),
        events=[_event(event) for event in objects(row.get("events"), "events")],
        links=[_link(link) for link in objects(row.get("links"), "links")],
    )


def _event(row: Json) -> EventRecord:
    attributes = mapping(row.get("attributes"), "attributes")
    return EventRecord(whole(row, "time_ns"), text(row, "name"), attributes)


def _link(row: Json) -> LinkRecord:
    attributes = mapping(row.get("attributes"), "attributes")
    return LinkRecord(text(row, "trace_id"), text(row, "span_id"), attributes)


def log(row: Json) -> LogRecord:
    """One log record; its resource says at least the service."""
    service = text(row, "service")
    return LogRecord(
        time_ns=whole(row, "time_ns"),
        service=service,
        severity=text(row, "severity"),
        event_name=text(row, "event_name"),
        body=row.get("body"),
        trace_id=text(row, "trace_id") or None,
        span_id=text(row, "span_id") or None,
        attributes=mapping(row.get("attributes"), "attributes"),
        resource=mapping(row.get("resource"), "resource") or {names.SERVICE_NAME: service},
        scope=text(row, "scope"),
    )


def edge(row: Json) -> EdgeRecord:
    """A row of ``/api/edges``."""
    errors = mapping(row.get("errors"), "errors")
    return EdgeRecord(
        client=text(row, "client"),
        server=text(row, "server"),
        transport=text(row, "transport"),
        side=text(row, "side"),
        calls=whole(row, "calls"),
        errors={name: whole(errors, name) for name in errors},
        duration=_quantiles(row, ""),
        queue=_quantiles(row, "queue_"),
    )


def queue(row: Json) -> QueueRecord:
    """A row of ``/api/queues``."""
    return QueueRecord(
        transport=text(row, "transport"),
        destination=text(row, "destination"),
        group=text(row, "group"),
        depth=real(row, "depth"),
        lag=real(row, "lag"),
        lag_time_s=real(row, "lag_time_s"),
        consumed=whole(row, "consumed"),
        wait=_quantiles(row, "wait_"),
    )


def breaker(row: Json) -> BreakerRecord:
    """A row of ``/api/breakers``."""
    return BreakerRecord(
        name=text(row, "name"),
        server=text(row, "server"),
        service=text(row, "service"),
        state=text(row, "state"),
        since_s=real(row, "since"),
        time_open_s=real(row, "time_open_s") or 0.0,
        transitions=whole(row, "transitions"),
        rejected=whole(row, "rejected"),
    )


def propagation(row: Json) -> PropagationRecord:
    """A row of ``/api/propagation``."""
    return PropagationRecord(
        client=text(row, "client"),
        server=text(row, "server"),
        transport=text(row, "transport"),
        destination=text(row, "destination"),
        results={result: whole(row, result) for result in _RESULTS},
        inferred=bool(row.get("client_inferred")),
        since_ns=nanoseconds(row, "since"),
        last_ns=nanoseconds(row, "last"),
        likely_cause=text(row, "likely_cause"),
    )


def _quantiles(row: Json, prefix: str) -> Quantiles:
    found: Sequence[float | None] = [real(row, f"{prefix}p{q}_s") for q in (50, 95, 99)]
    return Quantiles(*found)
