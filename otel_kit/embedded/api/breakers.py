"""The kit's own API on circuit breakers: ``/api/breakers``."""

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from otel_kit.embedded.api.common import cursor, get, limit, page
from otel_kit.embedded.store import Store
from otel_kit.records import BreakerRecord

_DEFAULT_LIMIT: Final = 500


def routes(store: Store) -> list[Route]:
    """The paths of this group."""
    return [get("/api/breakers", partial(breakers, store))]


def breakers(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/breakers?limit=&cursor=``, by name, server and service."""
    after = cursor(request, str, str, str)
    rows = [each for each in store.breakers() if after is None or _key(each) > after]
    return page(rows, limit(request, _DEFAULT_LIMIT), _breaker, _key)


def _key(breaker: BreakerRecord) -> tuple[str, str, str]:
    return breaker.name, breaker.server, breaker.service


def _breaker(breaker: BreakerRecord) -> dict[str, Any]:
    return {
        "name": breaker.name,
        "server": breaker.server,
        "service": breaker.service,
        "state": breaker.state,
        "since": breaker.since_s,
        "time_open_s": breaker.time_open_s,
        "transitions": breaker.transitions,
        "rejected": breaker.rejected,
    }
