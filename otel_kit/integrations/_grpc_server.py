"""What gRPC servers share: the interceptors, and the wrapper of each kind of handler."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgenerator
from typing import Any

import grpc

from otel_kit import names
from otel_kit.hops import Hop, rpc_call, serve
from otel_kit.hops.carriers import Metadata
from otel_kit.hops.peers import Bounded
from otel_kit.integrations._grpc_answering import Answering, Remembering
from otel_kit.integrations._shape import Integration

Begin = Callable[[Any], Answering]
Behavior = Callable[..., Any]
Wrap = Callable[..., Behavior]

_methods = Bounded(1000)
"""A generic handler may answer to any name: those past the limit share one label."""
_HANDLERS = 1000
_END = object()


class Handlers:
    """The handlers of one server, each wrapped once, as long as there are not too many."""

    def __init__(self, side: Integration, wrap: Wrap) -> None:
        self._side, self._wrap = side, wrap
        self._known: dict[tuple[int, str], tuple[Any, Any]] = {}

    def found(self, handler: Any, details: Any) -> Any:
        """What is to answer in the place of `handler`."""
        if handler is None:
            self._side._guarded(_refused, details)
            return None
        return self._side._guarded(self._wrapped, handler, details.method) or handler

    def _wrapped(self, handler: Any, method: str) -> Any:
        key = id(handler), method  # a handler need not be hashable
        known = self._known.get(key)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = _wrapped(self._side, handler, _methods(method.lstrip("/")), self._wrap)
        if len(self._known) < _HANDLERS:
            self._known[key] = handler, wrapped
        return wrapped


class Interceptor(grpc.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Puts the handler of each call of a server into a hop."""

    def __init__(self, side: Integration) -> None:
        self._side = side
        self._handlers = Handlers(side, _sync)

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        if self._side.idle():
            return continuation(details)
        try:
            handler = continuation(details)
        except Exception as error:
            self._side._guarded(_refused, details, error)
            raise
        return self._handlers.found(handler, details)


class AioInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """The same for `grpc.aio`, whose servers run synchronous handlers as well."""

    def __init__(self, side: Integration) -> None:
        self._side = side
        self._handlers = Handlers(side, _aio)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        if self._side.idle():
            return await continuation(details)
        try:
            handler = await continuation(details)
        except Exception as error:
            self._side._guarded(_refused, details, error)
            raise
        return self._handlers.found(handler, details)


def _refused(details: Any, error: Exception | None = None) -> None:
    """A call that reaches no handler: its method is the caller's to choose, and in no label."""
    with serve(_incoming(details.invocation_metadata, names.OVERFLOW)) as hop:
        hop.status("UNIMPLEMENTED" if error is None else "UNKNOWN")
        hop.end(error)


def _incoming(metadata: Any, method: str) -> Hop:
    return rpc_call(method, carrier=Metadata(list(metadata or ())))


def _wrapped(side: Integration, handler: Any, method: str, wrap: Wrap) -> Any:
    request = "stream" if handler.request_streaming else "unary"
    response = "stream" if handler.response_streaming else "unary"
    behavior = getattr(handler, f"{request}_{response}")
    if getattr(behavior, "experimental_non_blocking", False):
        return handler  # it answers by a callback, after it has returned

    def begin(context: Any) -> Answering:
        return Answering(side, _incoming(context.invocation_metadata(), method), context)

    make = getattr(grpc, f"{request}_{response}_rpc_method_handler")
    wrapper = wraps(behavior)(wrap(behavior, begin, streams=handler.response_streaming))
    return make(wrapper, handler.request_deserializer, handler.response_serializer)


def _sync(behavior: Behavior, begin: Begin, *, streams: bool) -> Behavior:
    def answer(request: Any, context: Any) -> Any:
        answering = begin(context)
        with answering:
            response = behavior(request, context)
        if streams:
            return _each(answering, response)
        answering.conclude()
        return response

    return answer


def _each(answering: Answering, responses: Any) -> Iterator[Any]:
    try:
        while True:
            with answering:
                response = next(responses, _END)
            if response is _END:
                break
            yield response
    except GeneratorExit as left:
        with answering:
            if isgenerator(responses):
                responses.close()
        answering.conclude(left)
        raise
    answering.conclude()


def _aio(behavior: Behavior, begin: Begin, *, streams: bool) -> Behavior:
    if streams and isasyncgenfunction(behavior):
        return _generating(behavior, begin)
    if iscoroutinefunction(behavior) or isasyncgenfunction(behavior):
        return _awaiting(behavior, begin)
    return _on_a_thread(behavior, begin, streams=streams)


def _awaiting(behavior: Behavior, begin: Begin) -> Behavior:
    async def answer(request: Any, context: Any) -> Any:
        answering = begin(context)
        with answering:
            response = await behavior(request, context)
        answering.conclude()
        return response

    return answer


def _generating(behavior: Behavior, begin: Begin) -> Behavior:
    async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
        answering = begin(context)
        responses = behavior(request, context)
        try:
            while True:
                with answering:
                    try:
                        response = await responses.__anext__()
                    except StopAsyncIteration:
                        break
                yield response
        except GeneratorExit as left:
            with answering:
                await responses.aclose()
            answering.conclude(left)
            raise
        answering.conclude()

    return answer


def _on_a_thread(behavior: Behavior, begin: Begin, *, streams: bool) -> Behavior:
    wrapper = _sync(behavior, begin, streams=streams)

    def answer(request: Any, context: Any) -> Any:
        return wrapper(request, Remembering(context))

    return answer
