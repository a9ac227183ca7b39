"""The kit's own API on sagas: ``/api/sagas``, ``/api/sagas/{id}``, their counts, names and logs.

Each answers ``{"data": [...], "next": cursor or null}``.  Times are seconds since the epoch, or
nanoseconds where a name ends in ``_ns``.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final, cast, get_args

from starlette.requests import Request
from starlette.routing import Route

from otel_kit.embedded.api.common import (
    checked,
    cursor,
    cut,
    get,
    limit,
    optional_integer,
    page,
    plain,
    seconds,
    text,
    trace_id,
)
from otel_kit.embedded.problems import Malformed, NotFound
from otel_kit.embedded.saga_queries import STATES, SagaQuery, Sort
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


def routes(store: Store) -> list[Route]:
    """The paths of this group.  Below ``/api/sagas/`` any path is the id of a saga."""
    return [
        get("/api/sagas", partial(many, store)),
        get("/api/sagas/{saga_id:path}", partial(one, store)),
        get("/api/saga_counts", partial(counts, store)),
        get("/api/saga_names", partial(names, store)),
        get("/api/logs", partial(logs, store)),
    ]


def many(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/sagas``, with any of these parameters.

    ``q`` (part of the id), ``name``, ``service``; ``state``, several with commas or repeated;
    ``started_after`` <= start < ``started_before`` (seconds since the epoch, or exactly as
    ``…_ns``); ``least_s`` <= duration <= ``most_s``; ``sort`` = -started, started or stalest (in
    progress, the longest quiet first); ``limit``, ``cursor``.
    """
    sort = text(request, "sort") or "-started"
    if sort not in get_args(Sort):
        raise Malformed(f"sort must be one of {', '.join(get_args(Sort))}")
    query = replace(
        _filters(store, request),
        states=tuple(_states(request)),
        sort=cast(Sort, sort),
        after=cursor(request, int, int),
        limit=limit(request, _DEFAULT_LIMIT),
    )
    found = store.find_sagas(replace(query, limit=query.limit + 1))
    return page(found, query.limit, _row, query.key)


def _row(found: tuple[int, SagaRecord]) -> dict[str, Any]:
    return _saga(found[1])


def counts(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/saga_counts``: ``state`` and ``count`` for every state, of the sagas that fit.

    The parameters are those of ``/api/sagas`` down to ``most_s``; ``state`` is ignored.
    """
    found = store.count_sagas(_filters(store, request))
    return {"data": [asdict(row) for row in found], "next": None}


def names(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/saga_names?limit=&cursor=``: every ``name`` that a saga has, sorted."""
    (after,) = cursor(request, str) or ("",)
    size = limit(request, _DEFAULT_LIMIT)
    found = store.saga_names(after, size + 1)
    return page(found, size, lambda name: {"name": name}, lambda name: (name,))


def _filters(store: Store, request: Request) -> SagaQuery:
    return replace(
        store.saga_query(),
        name=text(request, "name"),
        service=text(request, "service"),
        contains=text(request, "q"),
        started_after_ns=_time(request, "started_after"),
        started_before_ns=_time(request, "started_before"),
        least_ns=seconds(request, "least_s"),
        most_ns=seconds(request, "most_s"),
    )


def _states(request: Request) -> Iterator[str]:
    for given in request.query_params.getlist("state"):
        for state in filter(None, given.split(",")):
            if state not in STATES:
                raise Malformed(f"state must be one of {', '.join(STATES)}")
            yield state


def _time(request: Request, name: str) -> int | None:
    """A time in seconds, or exactly in nanoseconds under `name` with ``_ns``."""
    exact, rounded = optional_integer(request, f"{name}_ns"), seconds(request, name)
    if exact is not None and rounded is not None:
        raise Malformed(f"give {name} or {name}_ns, not both")
    return rounded if exact is None else exact


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
    row["started_at"] = saga.started_ns / 1e9
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
