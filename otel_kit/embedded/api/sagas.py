"""The kit's own API on sagas and their logs: ``/api/sagas``, ``/api/sagas/{id}``, ``/api/logs``.

Each answers ``{"data": [...], "next": cursor or null}``.  Times are seconds since the epoch.
"""

from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from otel_kit.embedded.api.common import (
    checked,
    cursor,
    cut,
    get,
    limit,
    page,
    plain,
    text,
    trace_id,
)
from otel_kit.embedded.problems import Malformed, NotFound
from otel_kit.embedded.saga_queries import STATES, SagaQuery
from otel_kit.embedded.store import Store
from otel_kit.records import (
    EventRecord,
    LinkRecord,
    LogRecord,
    SagaRecord,
    SpanRecord,
    TraceRecord,
)

_DEFAULT_LIMIT: Final = 50
_MAX_LOGS: Final = 10_000
"""Log records of one saga or trace that can be paged through."""
_SORTS: Final = {"-started": True, "started": False}


def routes(store: Store) -> list[Route]:
    """The paths of this group."""
    return [
        get("/api/sagas", partial(many, store)),
        get("/api/sagas/{saga_id:path}", partial(one, store)),
        get("/api/logs", partial(logs, store)),
    ]


def many(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/sagas?state=&name=&service=&q=&sort=&limit=&cursor=``."""
    query = _query(store, request)
    found = store.find_sagas(replace(query, limit=query.limit + 1))
    return page(found, query.limit, _row, _key)


def _row(found: tuple[int, SagaRecord]) -> dict[str, Any]:
    return _saga(found[1])


def _key(found: tuple[int, SagaRecord]) -> tuple[int, int]:
    return found[1].started_ns, found[0]


def _query(store: Store, request: Request) -> SagaQuery:
    state, sort = text(request, "state"), text(request, "sort") or "-started"
    if state and state not in STATES:
        raise Malformed(f"state must be one of {', '.join(STATES)}")
    if sort not in _SORTS:
        raise Malformed(f"sort must be one of {', '.join(_SORTS)}")
    return replace(
        store.saga_query(),
        state=state,
        name=text(request, "name"),
        service=text(request, "service"),
        contains=text(request, "q"),
        newest_first=_SORTS[sort],
        after=cursor(request, int, int),
        limit=limit(request, _DEFAULT_LIMIT),
    )


def one(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/sagas/{id}``: the saga over all of its traces."""
    saga_id = checked(request.path_params["saga_id"], "the saga id")
    detail = store.saga(saga_id, replace(store.saga_query(), limit=_MAX_LOGS))
    if detail is None:
        raise NotFound("saga not found")
    row = _saga(detail.saga)
    row["traces"] = [_trace(trace) for trace in detail.traces]
    row["logs"] = [_log(log) for log in detail.logs]
    row["truncated"] = detail.truncated
    return {"data": [row], "next": None}


def logs(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/logs?trace_id=&saga_id=&limit=&cursor=``, by time."""
    saga_id, ids = text(request, "saga_id"), request.query_params.getlist("trace_id")
    if not saga_id and not ids:
        raise Malformed("one of trace_id and saga_id is required")
    skip, size = (cursor(request, int) or (0,))[0], limit(request, _DEFAULT_LIMIT)
    found = store.logs([trace_id(value) for value in ids[:100]], saga_id, _MAX_LOGS)
    rows = list(enumerate(found, start=1))[max(skip, 0) :]
    return page(rows, size, lambda row: _log(row[1]), lambda row: (row[0],))


def _saga(saga: SagaRecord) -> dict[str, Any]:
    row = asdict(saga)
    row["started_at"] = row.pop("started_ns") / 1e9
    return row


def _trace(trace: TraceRecord) -> dict[str, Any]:
    return {"trace_id": trace.trace_id, "spans": [_span(span) for span in trace.spans]}


def _span(span: SpanRecord) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": cut(span.name),
        "kind": span.kind,
        "service": span.service,
        "started_at": span.started_ns / 1e9,
        "started_ns": span.started_ns,
        "ended_ns": span.ended_ns,
        "duration_s": span.duration_s,
        "status": span.status,
        "status_message": cut(span.status_message),
        "attributes": plain(dict(span.attributes)),
        "resource": plain(dict(span.resource)),
        "scope": span.scope,
        "trace_state": span.trace_state,
        "events": [_event(event) for event in span.events],
        "links": [_link(link) for link in span.links],
    }


def _event(event: EventRecord) -> dict[str, Any]:
    attributes = plain(dict(event.attributes))
    return {"time_ns": event.time_ns, "name": cut(event.name), "attributes": attributes}


def _link(link: LinkRecord) -> dict[str, Any]:
    attributes = plain(dict(link.attributes))
    return {"trace_id": link.trace_id, "span_id": link.span_id, "attributes": attributes}


def _log(log: LogRecord) -> dict[str, Any]:
    row = {name: getattr(log, name) for name in _LOG_FIELDS}
    row["body"] = plain(log.body)
    row["attributes"] = plain(dict(log.attributes))
    return row


_LOG_FIELDS: Final = (
    "time_ns",
    "service",
    "severity",
    "event_name",
    "trace_id",
    "span_id",
    "scope",
)
