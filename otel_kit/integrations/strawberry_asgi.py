"""
Strawberry's own ASGI application: `strawberry.asgi.GraphQL.__call__`.

A schema that is served without a framework around has its hops here; within a framework that has
hops there is no second one.  The integration of `strawberry` names them by their operation.
"""

from typing import Any

from otel_kit.integrations._asgi import intercepted
from otel_kit.integrations._shape import Integration

integration = Integration("strawberry-asgi", supports="strawberry-graphql>=0.200,<1")


@integration.wraps("strawberry.asgi:GraphQL.__call__")
def application(wrapped: Any, app: Any, args: Any, kwargs: Any) -> Any:
    return intercepted(integration._guarded, wrapped, app, args, kwargs)
