"""The kit's own API on pairs of services: ``/api/edges``."""

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from otel_kit.embedded.api.common import cursor, get, limit, page, quantiles
from otel_kit.embedded.store import Store
from otel_kit.records import EdgeRecord

_DEFAULT_LIMIT: Final = 500


def routes(store: Store) -> list[Route]:
    """The paths of this group."""
    return [get("/api/edges", partial(edges, store))]


def edges(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/edges?limit=&cursor=``, by client, server and transport."""
    after = cursor(request, str, str, str)
    rows = [edge for edge in store.edges() if after is None or _key(edge) > after]
    return page(rows, limit(request, _DEFAULT_LIMIT), _edge, _key)


def _key(edge: EdgeRecord) -> tuple[str, str, str]:
    return edge.client, edge.server, edge.transport


def _edge(edge: EdgeRecord) -> dict[str, Any]:
    return {
        "client": edge.client,
        "server": edge.server,
        "transport": edge.transport,
        "side": edge.side,
        "calls": edge.calls,
        "errors": dict(edge.errors),
        **quantiles("", edge.duration),
        **quantiles("queue_", edge.queue),
    }
