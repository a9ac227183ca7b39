"""
aiohttp's server: `RequestHandler._handle_request`.

It runs a request from the first middleware to the last byte of its answer, in a task of its own,
for applications as for `web.Server`, whenever they were made.  An `HTTPException` is an answer;
what else the application raises is seen on its way to aiohttp, which makes an answer of it.  In
`_prepare_hook` an answer's status is known and its headers are not sent; at the end of
`StreamResponse.write_eof` the caller has all of it, and what is measured ends there.

A caller that hung up is `cancelled`, whether aiohttp cancels the handler (`handler_cancellation`)
or only finds nobody to answer.  A WebSocket's hop is its handshake, which is no HTTP request of the
conventions' metric, as in ASGI.  What cannot be parsed never reaches the application and is no hop.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from aiohttp import web

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, http_request, serve
from otel_kit.hops.carriers import BytesPairs
from otel_kit.hops.event_stream import EventStream, event_stream
from otel_kit.hops.http import operation
from otel_kit.integrations._aiohttp import SUPPORTS, upgraded
from otel_kit.integrations._shape import Call, Integration

_THEIRS = "opentelemetry.instrumentation.aiohttp_server"
Handler = Callable[[Any], Awaitable[Any]]

integration = Integration(
    "aiohttp-server", supports=SUPPORTS, contrib=(f"{_THEIRS}:AioHttpServerInstrumentor",)
)


@dataclass(slots=True)
class _Seen:
    """What is known of a request that is under way."""

    call: Call
    hop: ActiveHop
    error: BaseException | None = None
    """What the application raised, of which aiohttp makes an answer."""
    events: EventStream | None = None
    """The answer, if that is one."""

    def watching(self, handler: Handler) -> Handler:
        async def watched(request: Any) -> Any:
            try:
                return await handler(request)
            except web.HTTPException:
                raise
            except Exception as error:
                self.error = error
                raise

        return watched


_UNDER_WAY: dict[object, _Seen] = {}
"""By connection, which has one request at a time; a request may be cloned."""


@integration.wraps("aiohttp.web_protocol:RequestHandler._handle_request")
def handled(wrapped: Handler, protocol: Any, args: Any, kwargs: Any) -> Any:
    seen = integration._guarded(_seen, wrapped, protocol, args, kwargs)
    return wrapped(*args, **kwargs) if seen is None else _traced(wrapped, seen)


def _seen(wrapped: Handler, protocol: Any, args: Any, kwargs: Any) -> _Seen | None:
    call = Call.of(wrapped, protocol, args, kwargs)
    handler = call["request_handler"]
    if handler is not protocol._request_handler or _already_traced(handler):
        return None  # the former is a handler that says what is wrong with the request
    seen = _Seen(call, serve(_described(call["request"])))
    call["request_handler"] = seen.watching(handler)
    return seen


def _described(request: web.BaseRequest) -> Hop:
    """The hop of a request.  Its route is known only after routing."""
    hop = http_request(
        request.method,
        carrier=BytesPairs(list(request.raw_headers)),
        scheme=request.scheme,
        path=request.path,
        version=f"{request.version.major}.{request.version.minor}",
    )
    return upgraded(hop, request.headers.get("Upgrade", ""))


def _already_traced(handler: Handler) -> bool:
    """Whether the application has added OpenTelemetry's middleware itself."""
    middlewares = getattr(getattr(handler, "__self__", None), "middlewares", ())
    return any(getattr(each, "__module__", None) == _THEIRS for each in middlewares)


async def _traced(wrapped: Handler, seen: _Seen) -> Any:
    protocol = seen.call.instance
    _UNDER_WAY[protocol] = seen
    with seen.hop:
        try:
            response, hung_up = await seen.call.proceed(wrapped)
        except BaseException as error:
            integration._guarded(_end, seen, error)
            raise
        finally:
            _UNDER_WAY.pop(protocol, None)
        integration._guarded(_end, seen, CancelledError() if hung_up else None)
        return response, hung_up


def _end(seen: _Seen, error: BaseException | None) -> None:
    """What the application raised goes before what became of it, unless nobody was there."""
    request, transport = seen.call["request"], seen.call.instance.transport
    error = seen.error or error
    if isinstance(error, ConnectionError) and (transport is None or transport.is_closing()):
        error = CancelledError()
    if (template := route(request)) is not None:
        named = operation(request.method, template)
        seen.hop.routed(named, {names.HTTP_ROUTE: template})
    seen.hop.end(error)
    seen.error = None  # no cycle for the garbage collector


def route(request: Any) -> str | None:
    """The template of the matched path, sub-applications' prefixes included."""
    matched = getattr(request, "_match_info", None)  # `match_info` insists that there is one
    resource = getattr(getattr(matched, "route", None), "resource", None)
    template: str | None = getattr(resource, "canonical", None)
    if isinstance(resource, web.StaticResource) and template is not None:
        return template.rstrip("/") + "/{filename}"
    return template


def _of(request: Any) -> _Seen | None:
    return _UNDER_WAY.get(getattr(request, "protocol", None))  # a test's may have none


def preparing(hook: Callable[[Any, Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[None]]:
    """In place of `_prepare_hook`, which runs the application's `on_response_prepare`."""

    @wraps(hook)
    async def prepared(request: Any, response: Any) -> None:
        await hook(request, response)
        if (seen := _of(request)) is not None:
            integration._guarded(_answer, seen.hop, response)
            if response.status == 101:
                integration._guarded(_end, seen, None)
            integration._guarded(_counted, seen, response)

    return prepared


def _answer(hop: ActiveHop, response: web.StreamResponse) -> None:
    hop.status(response.status)
    if (size := response.content_length) is not None:
        hop.note(names.HTTP_RESPONSE_BODY_SIZE, size)
    if (reply := hop.reply()) is not None:
        response.headers.add(names.SERVER_TIMING, reply)


def _counted(seen: _Seen, response: Any) -> None:
    """Count the events of an event stream as they are written: nothing else's writes are seen."""
    headers = response.headers
    encoded = "Content-Encoding" in headers and not response.compression
    seen.events = event_stream(seen.hop, headers.get("Content-Type"), encoded=encoded)
    if seen.events is not None:
        response.write = _counting(response.write, seen.events)


def _counting(write: Handler, events: EventStream) -> Handler:
    async def counting(data: Any) -> None:
        await write(data)
        events.part(data)

    return counting


def ending(write_eof: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """In place of `write_eof`: afterwards the caller has the whole answer."""

    @wraps(write_eof)
    async def ended(response: Any, *args: Any, **kwargs: Any) -> None:
        seen = _of(response._req)  # which is None afterwards
        await write_eof(response, *args, **kwargs)
        if seen is not None:
            seen.hop.replied()
            if seen.events is not None:
                vars(response).pop("write", None)  # no cycle for the garbage collector

    return ended


integration.replaces("aiohttp.web_request:BaseRequest._prepare_hook", preparing)
integration.replaces("aiohttp.web_request:Request._prepare_hook", preparing)
integration.replaces("aiohttp.web_response:StreamResponse.write_eof", ending)
