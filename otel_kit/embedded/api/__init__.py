"""The query API: one file for each group of paths.

To add one: write a module with ``routes(store)`` and name it in `_GROUPS`.
"""

from starlette.applications import Starlette

from otel_kit.embedded.api import breakers, jaeger, metrics, propagation, queues, sagas, services
from otel_kit.embedded.store import Store

_GROUPS = (jaeger, sagas, services, queues, breakers, propagation, metrics)


def application(store: Store) -> Starlette:
    """The ASGI application of the query port."""
    return Starlette(routes=[route for group in _GROUPS for route in group.routes(store)])
