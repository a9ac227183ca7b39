"""Jaeger's query API (version 1, the one that Grafana's Jaeger data source speaks).

Departures: a search needs no service, and without ``start`` or ``lookback`` it goes back as far as
there is data; ``saga.id`` among the tags holds for the trace as a whole.
"""

import json
import re
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from otel_kit import names
from otel_kit.embedded.api import jaeger_json
from otel_kit.embedded.api.common import get, integer, limit, text, trace_id
from otel_kit.embedded.problems import Malformed, NotFound
from otel_kit.embedded.store import Store
from otel_kit.embedded.trace_queries import SpanFilter, TraceQuery
from otel_kit.records import SpanRecord, TraceRecord

_DEFAULT_LIMIT: Final = 100
_MAX_IDS: Final = 100
_DAY_MS: Final = 24 * 3600 * 1000
_MAX_TIME: Final = 2**63 - 1
_NOT_FOUND: Final = "trace not found"
_UNITS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
    "h": 3600 * 10**9, "d": 86400 * 10**9,
}  # fmt: skip
_DURATION: Final = re.compile(r"(\d{1,9}\.?\d{0,9}|\.\d{1,9})(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)


def routes(store: Store) -> list[Route]:
    """The paths of this group."""
    paths = {
        "/api/services": services,
        "/api/services/{service:path}/operations": operation_names,
        "/api/operations": operations,
        "/api/traces": search,
        "/api/traces/{trace_id}": one_trace,
        "/api/dependencies": dependencies,
    }
    return [get(path, partial(answer, store), _failure) for path, answer in paths.items()]


def _envelope(data: Any, total: int = 0, errors: Any = None) -> dict[str, Any]:
    return {"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors}


def _failure(status: int, reason: str) -> dict[str, Any]:
    return _envelope(None, errors=[{"code": status, "msg": reason}])


def services(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/services``."""
    found = store.services()
    return _envelope(found, len(found))


def operation_names(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/services/{service}/operations``."""
    found = store.operations(request.path_params["service"])
    unique = sorted({operation.name for operation in found})
    return _envelope(unique, len(unique))


def operations(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/operations?service=&spanKind=``."""
    service, kind = text(request, "service"), text(request, "spanKind")
    if not service:
        raise Malformed("parameter 'service' is required")
    found = [o for o in store.operations(service) if not kind or o.kind == kind]
    return _envelope([{"name": o.name, "spanKind": o.kind} for o in found], len(found))


def one_trace(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/traces/{id}``."""
    found = store.traces([trace_id(request.path_params["trace_id"])])
    if not found:
        raise NotFound(_NOT_FOUND)
    return _shown(found)


def search(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/traces?service=…``, or with one or more ``traceID``."""
    ids = request.query_params.getlist("traceID")
    if ids:
        return _by_ids(store, ids)
    return _shown(store.find_traces(_query(request)))


def _by_ids(store: Store, ids: list[str]) -> dict[str, Any]:
    if len(ids) > _MAX_IDS:
        raise Malformed(f"at most {_MAX_IDS} traceID at a time")
    wanted = [trace_id(value) for value in ids]
    found = store.traces(wanted)
    missing = {value.hex() for value in wanted} - {trace.trace_id for trace in found}
    errors = [{"msg": _NOT_FOUND, "traceID": value} for value in sorted(missing)]
    return _shown(found, errors or None)


def _shown(found: Iterable[TraceRecord], errors: Any = None) -> dict[str, Any]:
    return _envelope([jaeger_json.trace(trace) for trace in found], errors=errors)


def _query(request: Request) -> TraceQuery:
    tags = _tags(request)
    ended = min(integer(request, "end", _MAX_TIME) * 1000 + 999, _MAX_TIME)  # all of that µs
    started = _started(request, ended)
    saga_ids = tuple(value for key, value in tags if key == names.SAGA_ID)
    others = [tag for tag in tags if tag[0] != names.SAGA_ID]
    return TraceQuery(
        service=text(request, "service"),
        operation=text(request, "operation"),
        saga_ids=saga_ids,
        started_ns=started,
        ended_ns=ended,
        limit=limit(request, _DEFAULT_LIMIT),
        matches=_filter(request, others, started, ended),
    )


def _started(request: Request, ended_ns: int) -> int:
    if request.query_params.get("start"):
        return min(max(integer(request, "start", 0), 0), _MAX_TIME // 1000) * 1000
    lookback = request.query_params.get("lookback", "")
    if lookback in ("", "custom"):
        return 0
    return max(min(ended_ns, time.time_ns()) - duration_ns(lookback, "lookback"), 0)


def _filter(
    request: Request, tags: list[tuple[str, str]], started_ns: int, ended_ns: int
) -> SpanFilter | None:
    """What one span must fulfil alone; None if any will do."""
    service, operation = text(request, "service"), text(request, "operation")
    least, most = _duration(request, "minDuration"), _duration(request, "maxDuration")
    if least and most and most < least:
        raise Malformed("'maxDuration' should be greater than 'minDuration'")
    always = (started_ns, ended_ns) == (0, _MAX_TIME)
    if always and not (operation or tags or least or most):
        return None

    def matches(span: SpanRecord) -> bool:
        return (
            (not service or span.service == service)
            and started_ns <= span.started_ns <= ended_ns
            and (not operation or span.name == operation)
            and least <= span.ended_ns - span.started_ns <= (most or _MAX_TIME)
            and jaeger_json.matches(span, tags)
        )

    return matches


def _duration(request: Request, name: str) -> int:
    value = request.query_params.get(name, "")
    return duration_ns(value, name) if value else 0


def duration_ns(value: str, name: str) -> int:
    """A duration such as ``1.5s``, ``100ms`` or ``1m30s`` in nanoseconds.

    As Go reads one, with ``d`` for days, and never negative.
    """
    if value == "0":
        return 0
    parts = _DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value.removeprefix("+"):
        raise Malformed(f"unable to parse param '{name}': write a duration such as 100ms or 1.5s")
    return min(int(sum(float(number) * _UNITS[unit] for number, unit in parts)), _MAX_TIME)


def _tags(request: Request) -> list[tuple[str, str]]:
    found = []
    for tag in request.query_params.getlist("tag"):
        key, colon, value = tag.partition(":")
        if not colon:
            raise Malformed(
                f"malformed 'tag' parameter, expecting key:value, received: {tag[:100]}"
            )
        found.append((key, value))
    for tags in request.query_params.getlist("tags"):
        found += _json_tags(tags)
    return found


def _json_tags(tags: str) -> list[tuple[str, str]]:
    try:
        parsed = json.loads(tags)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise Malformed("malformed 'tags' parameter, expecting a JSON object of text values")
    return [
        (key, value if isinstance(value, str) else json.dumps(value))
        for key, value in parsed.items()
    ]


def dependencies(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/dependencies?endTs=&lookback=&service=`` (milliseconds)."""
    end = integer(request, "endTs", time.time_ns() // 10**6)
    start = max(end - integer(request, "lookback", _DAY_MS), 0)
    service = text(request, "service")
    found = [
        link
        for link in store.dependencies(_ms(start), _ms(end))
        if service in ("", link.parent, link.child)
    ]
    return _envelope([{"parent": d.parent, "child": d.child, "callCount": d.calls} for d in found])


def _ms(milliseconds: int) -> int:
    return max(min(milliseconds * 10**6, _MAX_TIME), 0)
