"""The kit's own API on queues: ``/api/queues``."""

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from otel_kit.embedded.api.common import cursor, get, limit, page, quantiles
from otel_kit.embedded.store import Store
from otel_kit.records import QueueRecord

_DEFAULT_LIMIT: Final = 500


def routes(store: Store) -> list[Route]:
    """The paths of this group."""
    return [get("/api/queues", partial(queues, store))]


def queues(store: Store, request: Request) -> dict[str, Any]:
    """``GET /api/queues?limit=&cursor=``, by transport, destination and group.

    ``depth``, ``lag`` (messages) and ``lag_time_s`` are as last reported, null where nobody reports
    them now; ``wait_…`` and ``consumed`` are of all messages handled since their consumers began.
    """
    after = cursor(request, str, str, str)
    rows = [queue for queue in store.queues() if after is None or _key(queue) > after]
    return page(rows, limit(request, _DEFAULT_LIMIT), _queue, _key)


def _key(queue: QueueRecord) -> tuple[str, str, str]:
    return queue.transport, queue.destination, queue.group


def _queue(queue: QueueRecord) -> dict[str, Any]:
    return {
        "transport": queue.transport,
        "destination": queue.destination,
        "group": queue.group,
        "depth": queue.depth,
        "lag": queue.lag,
        "lag_time_s": queue.lag_time_s,
        **quantiles("wait_", queue.wait),
        "consumed": queue.consumed,
    }
