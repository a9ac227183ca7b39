"""
Starlette: `Starlette.__call__`, outside its whole middleware stack.

Patched on the class, so that applications made before `instrument()` are seen as well.  If
OpenTelemetry's or Starlette's own middleware is in the stack, it makes the span and ours does not.
"""

from typing import Any

from otel_kit.integrations._asgi import intercepted, routing
from otel_kit.integrations._shape import Integration

integration = Integration(
    "starlette",
    supports="starlette>=1.7,<2",
    contrib=("opentelemetry.instrumentation.starlette:StarletteInstrumentor",),
)


@integration.wraps("starlette.applications:Starlette.__call__")
def application(wrapped: Any, app: Any, args: Any, kwargs: Any) -> Any:
    return intercepted(integration._guarded, wrapped, app, args, kwargs)


integration.replaces("starlette.routing:Router.__call__", routing)
