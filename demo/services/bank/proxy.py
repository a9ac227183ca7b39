"""A proxy in front of the bank that, when told so, forwards only the headers it knows."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from demo.faults import Fault, is_on

TRACE_HEADERS: Final = {b"traceparent", b"tracestate", b"baggage"}


class Proxy:
    """Passes every request on; while context-dropped is on, without its trace headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_on(Fault.CONTEXT_DROPPED):
            kept = [(k, v) for k, v in scope["headers"] if k.lower() not in TRACE_HEADERS]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)
