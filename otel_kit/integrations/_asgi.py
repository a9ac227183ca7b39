"""ASGI: one SERVER span a request, none for its sends and receives; shared by its frameworks.

Everything that belongs to a request lives in that request's objects, so that nothing of one can
show up on another.  A WebSocket connection is one hop from its handshake to its end.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, http_request, serve
from otel_kit.hops.carriers import BytesPairs
from otel_kit.hops.http import operation

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SEEN = "otel_kit.hop"
"""Key of the ASGI scope: this request has its hop already."""
NATIVE = "fastapi.telemetry"
"""FastAPI's own key of the scope: None if its native telemetry shall leave the request alone."""
_SERVER_TIMING = names.SERVER_TIMING.encode()
_ROUTED = ("http", "websocket")
_RESPONSES = ("http.response.start", "websocket.http.response.start")
_THEIRS = "OpenTelemetryMiddleware"


def request(scope: Scope) -> Hop:
    """The hop of an ASGI scope.  Its route is known only after routing."""
    headers = BytesPairs(list(scope["headers"]))
    method = scope["method"] if scope["type"] == "http" else "GET"
    return http_request(
        method,
        carrier=headers,
        scheme=scope.get("scheme", "http"),
        path=scope["path"],
        version=scope.get("http_version"),
    )


def intercepted(
    wrapped: App, app: Any, args: Any, kwargs: Any, *, ours: Scope | None = None
) -> Any:
    """A call of an ASGI application; `ours` is added to the scope of what will be a hop.

    Servers call an application without arguments to find out whether it is a factory: whatever
    does not fit is the application's to refuse.
    """
    try:
        scope, receive, send = _bind(*args, **kwargs)
    except TypeError:
        return wrapped(*args, **kwargs)
    if ours and scope["type"] in _ROUTED:
        scope.update(ours)
    return _traced(app, wrapped, scope, receive, send)


def _bind(scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Receive, Send]:
    return scope, receive, send


async def _traced(app: Any, proceed: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Run `proceed`, which is `app`, as the handler of one hop."""
    seen = SEEN in scope or getattr(scope.get(NATIVE), "span", None) is not None
    if scope["type"] not in _ROUTED or seen or _already_traced(app):
        await proceed(scope, receive, send)
        return
    scope[SEEN] = True
    with serve(request(scope)) as hop:
        try:
            await proceed(scope, receive, _answering(hop, send))
        finally:
            _routed(hop, app, scope)


def _answering(hop: ActiveHop, send: Send) -> Send:
    async def answering(message: MutableMapping[str, Any]) -> None:
        if message["type"] in _RESPONSES:
            headers = list(message.get("headers", ()))
            hop.status(message["status"])
            _note_size(hop, headers)
            if (reply := hop.reply()) is not None:
                message = {**message, "headers": [*headers, (_SERVER_TIMING, reply.encode())]}
        await send(message)

    return answering


def _note_size(hop: ActiveHop, headers: list[Any]) -> None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            hop.note(names.HTTP_RESPONSE_BODY_SIZE, int(value))


def _already_traced(app: Any) -> bool:
    """Whether OpenTelemetry's or Starlette's own middleware traces the application."""
    if getattr(app, "_is_instrumented_by_opentelemetry", False):
        return True
    return any(added.cls.__name__ == _THEIRS for added in app.user_middleware)


def _routed(hop: ActiveHop, app: Any, scope: Scope) -> None:
    try:
        template = route(app, scope)
    except (AttributeError, KeyError, TypeError):  # a router of somebody's own
        template = None
    if template:
        method = scope["method"] if scope["type"] == "http" else "GET"
        hop.routed(operation(method, template), {names.HTTP_ROUTE: template})


def route(app: Any, scope: Scope) -> str | None:
    """The template of the matched path, mounts included; None if nothing matched.

    FastAPI keeps the template of an included router's route beside the route.
    """
    matched = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    root = scope.get("root_path", "")
    mounted = root.removeprefix(scope.get("app_root_path", root))
    prefix = _mount(app.routes, mounted) if mounted else ""
    if matched is not None and not _is_mount(matched):
        return prefix + str(matched.path)
    return prefix + "/{path}" if prefix else None


def _is_mount(route: Any) -> bool:
    return hasattr(route, "routes") and str(route.path_format).endswith("/{path}")


def _mount(routes: Any, mounted: str) -> str:
    for route in filter(_is_mount, routes):
        match = route.path_regex.match(mounted + "/")
        if match is not None:
            rest = match["path"].rstrip("/")
            return str(route.path) + (_mount(route.routes, "/" + rest) if rest else "")
    return ""
