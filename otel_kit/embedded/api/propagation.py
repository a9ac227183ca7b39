"""The kit's own API on lost context: ``/api/propagation``."""

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from otel_kit.embedded.api.common import cursor, get, limit, page
from otel_kit.embedded.store import Store
from otel_kit.records import PropagationRecord

_DEFAULT_LIMIT: Final = 500
_RESULTS: Final = ("continued", "missing", "invalid", "stale")
_Key = tuple[str, str, str, str]


def routes(store: Store) -> list[Route]:
    """The paths of this group."""
    return [get("/api/propagation", partial(propagation, store))]


def propagation(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/propagation?limit=&cursor=``, by client, server, transport and destination."""
    after = cursor(request, str, str, str, str)
    rows = [row for row in store.propagation() if after is None or _key(row) > after]
    return page(rows, limit(request, _DEFAULT_LIMIT), _row, _key)


def _key(row: PropagationRecord) -> _Key:
    return row.client, row.server, row.transport, row.destination


def _row(row: PropagationRecord) -> dict[str, Any]:
    return {
        "client": row.client,
        "client_inferred": row.inferred,
        "server": row.server,
        "transport": row.transport,
        "destination": row.destination,
        **{result: row.results.get(result, 0) for result in _RESULTS},
        "lost": row.lost,
        "rate": row.rate,
        "since": _seconds(row.since_ns),
        "last": _seconds(row.last_ns),
        "likely_cause": row.likely_cause,
    }


def _seconds(time_ns: int | None) -> float | None:
    """Seconds since the epoch."""
    return None if time_ns is None else time_ns / 1e9
