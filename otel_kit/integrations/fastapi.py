"""
FastAPI: `FastAPI.__call__`, outside its native telemetry and its middleware stack.

FastAPI from 0.142 on makes a SERVER span of its own, and three more within, as soon as there is a
tracer provider.  Ours stands for the request instead: FastAPI leaves a request alone whose scope
has its key already.  With `prefer="contrib"` it is the other way round: FastAPI's native span, or
where there is none OpenTelemetry's instrumentor, is bridged.
"""

from typing import Any

from otel_kit.integrations._asgi import NATIVE, intercepted, routing
from otel_kit.integrations._shape import Integration

integration = Integration(
    "fastapi",
    supports="fastapi>=0.115,<1",
    contrib=("opentelemetry.instrumentation.fastapi:FastAPIInstrumentor",),
    native="fastapi.telemetry",
)


@integration.wraps("fastapi:FastAPI.__call__")
def application(wrapped: Any, app: Any, args: Any, kwargs: Any) -> Any:
    return intercepted(integration._guarded, wrapped, app, args, kwargs, ours={NATIVE: None})


integration.replaces("starlette.routing:Router.__call__", routing)
