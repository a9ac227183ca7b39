"""ASGI: one SERVER span a request, none for its sends and receives; shared by its frameworks.

Everything that belongs to a request lives in that request's objects, so that nothing of one can
show up on another.

What is measured is the caller's wait: to the last message of the response.  The span goes on to the
end of the handler, background tasks included.  Server-sent events are counted; a stream of them
that ends without its last message is `cancelled`: its reader has hung up.

A WebSocket's hop is its handshake, which is no HTTP request of the conventions' metric: a span of
all the time that it is open would be seen by nobody before it is closed.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, http_request, serve
from otel_kit.hops.carriers import BytesPairs
from otel_kit.hops.event_stream import EventStream, event_stream
from otel_kit.hops.http import CONNECTION, operation
from otel_kit.integrations import _foreign
from otel_kit.integrations._asgi_websocket import Connection

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Guard = Callable[..., Any]
"""An integration's guard: calls a function, None if it fails."""

SEEN = "otel_kit.hop"
"""Key of the ASGI scope: this request has its hop already, of which a framework may tell more."""
NATIVE = "fastapi.telemetry"
"""FastAPI's own key of the scope: None if its native telemetry shall leave the request alone."""
_SERVER_TIMING = names.SERVER_TIMING.encode()
_ROUTED = ("http", "websocket")
_RESPONSES = ("http.response.start", "websocket.http.response.start")
_ENDS = ("http.response.body", "http.response.pathsend")
_THEIRS = "OpenTelemetryMiddleware"


@dataclass(slots=True)
class Seen:
    """What a framework says of a request that is under way."""

    scope: Scope | None
    """As the innermost router has it: a middleware may have copied the application's."""
    route: str | None = None
    """The template of the matched path, of a framework that leaves it in no scope."""
    error: BaseException | None = None
    """The exception that it answers for."""
    events: EventStream | None = None
    """Its answer, if that is one."""
    gone: bool = False
    """The server has said that nobody is there to be answered."""

    def end(self, hop: ActiveHop, error: BaseException | None = None) -> None:
        """End the request's hop; `error` is what the server is about to see."""
        error = error or self.error
        cut = self.events is not None and not self.events.complete
        if cut and (error is None or self.gone):
            error = CancelledError()
        self.scope = self.error = self.events = None  # no cycle for the garbage collector
        hop.end(error)


def request(scope: Scope) -> Hop:
    """The hop of an ASGI scope.  Its route is known only after routing."""
    headers = list(scope.get("headers", ()))
    if "headers" in scope:  # an iterable: whoever reads it puts it back
        scope["headers"] = headers
    hop = http_request(
        _method(scope),
        carrier=BytesPairs(headers.copy()),
        scheme=scope.get("scheme", "http"),
        path=scope.get("path"),
        version=scope.get("http_version"),
    )
    return hop if scope["type"] == "http" else replace(hop, convention=CONNECTION)


def _method(scope: Scope) -> str:
    return str(scope.get("method", "GET"))


def intercepted(
    guard: Guard, wrapped: App, app: Any, args: Any, kwargs: Any, *, ours: Scope | None = None
) -> Any:
    """A call of an ASGI application; `ours` is added to the scope of what will be a hop.

    Servers call an application without arguments to find out whether it is a factory: whatever
    does not fit is the application's to refuse.
    """
    try:
        scope, receive, send = args if not kwargs else _bind(*args, **kwargs)
    except (TypeError, ValueError):
        return wrapped(*args, **kwargs)
    hop = guard(_described, app, scope, ours)
    if hop is None:
        return wrapped(*args, **kwargs)
    return _traced(guard, hop, app, wrapped, scope, receive, send)


def routing(router_call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """In place of a router's call: the request's route will be in its scope."""

    @wraps(router_call)
    async def called(router: Any, scope: Scope, receive: Receive, send: Send) -> None:
        if (seen := scope.get(SEEN)) is not None:
            seen.scope = scope
        await router_call(router, scope, receive, send)

    return called


def _bind(scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Receive, Send]:
    return scope, receive, send


def _described(app: Any, scope: Scope, ours: Scope | None) -> Hop | None:
    """The hop to make, None if there is none or somebody makes it already."""
    if scope["type"] not in _ROUTED:
        return None
    scope.update(ours or {})
    seen = SEEN in scope or getattr(scope.get(NATIVE), "span", None) is not None
    return None if seen or _already_traced(app) else request(scope)


async def _traced(
    guard: Guard, hop: Hop, app: Any, proceed: App, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run `proceed`, which is `app`, as the handler of one hop."""
    scope[SEEN] = seen = Seen(scope)
    with serve(hop) as active:
        answering = _answering(guard, active, seen, send)
        try:
            if scope["type"] == "websocket":
                await _connected(guard, active, app, seen, receive, answering).run(proceed, scope)
            else:
                await proceed(scope, receive, answering)
        except BaseException as error:
            guard(_routed, active, app, seen)
            seen.end(active, error)
            raise
        guard(_routed, active, app, seen)
        seen.end(active)


def _connected(
    guard: Guard, hop: ActiveHop, app: Any, seen: Seen, receive: Receive, send: Send
) -> Connection:
    headers = (seen.scope or {}).get("headers", ())
    return Connection(guard, hop, headers, lambda: _routed(hop, app, seen), receive, send)


def _answering(guard: Guard, hop: ActiveHop, seen: Seen, send: Send) -> Send:
    async def answering(message: Message) -> None:
        if (answer := guard(_listed, message)) is not None:
            seen.events = guard(_answer, hop, answer)
            await send(answer)
        else:
            try:
                await send(message)
            except OSError:  # as ASGI says since 2.4
                seen.gone = True
                raise
            last = guard(_is_last, message)
            if (events := seen.events) is not None:
                events.part(message.get("body"))
                events.complete = bool(last)
            if last:
                hop.replied()

    return answering


def _listed(message: Message) -> Message | None:
    """A response's start with its headers as a list of ours; they may be an iterator."""
    if message["type"] not in _RESPONSES:
        return None
    return {**message, "headers": list(message.get("headers", ()))}


def _is_last(message: Message) -> bool:
    return message["type"] in _ENDS and not message.get("more_body", False)


def _answer(hop: ActiveHop, start: Message) -> EventStream | None:
    hop.status(start["status"])
    events = _body(hop, start["headers"])
    if (reply := hop.reply()) is not None:
        start["headers"].append((_SERVER_TIMING, reply.encode()))
    return events


def _body(hop: ActiveHop, headers: list[Any]) -> EventStream | None:
    """Note the answer's size; the answer, if it is an event stream."""
    content_type, encoded = "", False
    for name, value in headers:
        if len(name) == 14 and name.lower() == b"content-length" and value.isdigit():
            hop.note(names.HTTP_RESPONSE_BODY_SIZE, int(value))
        elif len(name) == 12 and name.lower() == b"content-type":  # Django writes it in capitals
            content_type = value.decode("latin-1")
        elif len(name) == 16 and name.lower() == b"content-encoding":
            encoded = True
    return event_stream(hop, content_type, encoded=encoded)


def _already_traced(app: Any) -> bool:
    """Whether OpenTelemetry's or Starlette's own middleware, within or around, traces the app."""
    if getattr(app, "_is_instrumented_by_opentelemetry", False) or _foreign.serves():
        return True
    return any(_class_name(added) == _THEIRS for added in getattr(app, "user_middleware", ()))


def _class_name(added: Any) -> str:
    made = added.cls  # a class, or any other callable
    return getattr(getattr(made, "func", made), "__name__", "")


def _routed(hop: ActiveHop, app: Any, seen: Seen) -> str | None:
    """Tell the hop its route, once it is known."""
    if (scope := seen.scope) is None:
        return None
    try:
        template = route(app, scope, seen.route)
    except (AttributeError, KeyError, TypeError):  # a router of somebody's own
        template = seen.route
    if template:
        hop.routed(operation(_method(scope), template), {names.HTTP_ROUTE: template})
    return template


def route(app: Any, scope: Scope, told: str | None) -> str | None:
    """The template of the matched path, mounts included; None if nothing matched.

    `told` is what the application that answers said.  FastAPI keeps the template of an included
    router's route beside the route.
    """
    matched = scope.get("fastapi", {}).get("effective_route_context")
    if not getattr(matched, "path", None):  # a WebSocket's has none
        matched = scope.get("route")
    root = scope.get("root_path", "")
    mounted = root.removeprefix(scope.get("app_root_path", root))
    prefix = _mount(app.routes, mounted, scope) if mounted else ""
    path = told if told is not None or _is_mount(matched) else getattr(matched, "path", None)
    if path is not None:
        return f"{prefix}{path}"
    return prefix + "/{path}" if prefix else None


def _is_mount(route: Any) -> bool:
    path_format = str(getattr(route, "path_format", ""))
    return hasattr(route, "routes") and path_format.endswith("/{path}")


def _mount(routes: Any, mounted: str, scope: Scope) -> str:
    for route in routes:
        if _is_mount(route):
            match = route.path_regex.match(mounted + "/")
            if match is not None:
                rest = match["path"].rstrip("/")
                return str(route.path) + (_mount(route.routes, "/" + rest, scope) if rest else "")
        elif hasattr(route, "host_regex") and route.matches(scope)[0].value:
            return _mount(route.routes, mounted, scope)
    return ""
