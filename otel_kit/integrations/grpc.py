"""
gRPC: `grpc` and `grpc.aio`, clients and servers, all four kinds of call.

*Clients* are seen where a call is made: in the multi-callables of `grpc`, and where `grpc.aio`
makes its call objects.  Not by the official interceptors, for four reasons: those break
cancellation of an aio call that is awaited, and give the application another object than the
library does; they would miss channels made earlier, or by `from grpc import insecure_channel`; they
stand outside the application's own interceptors, so that the attempts of one that retries look like
one call; and metadata that those interceptors write would win over ours.  The application gets the
library's own call object.  The hop ends when that object reports its end: it may be cancelled, or
dropped half read.  The span is current in none of the application's code: not in its request
iterator, nor between two responses.

*Servers* are seen by the official interceptor, put first where a server is constructed, so however
it is told of interceptors.  The handler runs within the span, a generator only while it is being
asked.  The time a call waits for a thread of the pool is no part of the hop, and calls refused by
`maximum_concurrent_rpcs` reach no interceptor: both show on the client's side.  The reply of an aio
handler that aborts cannot be named: `abort` sends it at once.
"""

from typing import Any

from otel_kit.hops import Hop
from otel_kit.integrations._grpc_client import (
    aio_target,
    ended,
    follow,
    follow_aio,
    follow_single,
    outgoing,
    remember,
)
from otel_kit.integrations._grpc_server import AioInterceptor, Interceptor
from otel_kit.integrations._shape import Call, Integration

_CONTRIB = "opentelemetry.instrumentation.grpc"

integration = Integration("grpc", supports="grpcio>=1.63,<2")
client = integration.side(f"{_CONTRIB}:GrpcInstrumentorClient")
server = integration.side(f"{_CONTRIB}:GrpcInstrumentorServer")
aio_client = integration.side(f"{_CONTRIB}:GrpcAioInstrumentorClient")
aio_server = integration.side(f"{_CONTRIB}:GrpcAioInstrumentorServer")


@client.calls(
    "grpc._channel:_UnaryUnaryMultiCallable._blocking",
    "grpc._channel:_StreamUnaryMultiCallable._blocking",
    answered=ended,
    current=False,
)
@client.calls(
    "grpc._channel:_UnaryUnaryMultiCallable.future",
    "grpc._channel:_StreamUnaryMultiCallable.future",
    "grpc._channel:_UnaryStreamMultiCallable.__call__",
    "grpc._channel:_StreamStreamMultiCallable.__call__",
    ends=follow,
    current=False,
)
@client.calls(
    "grpc._channel:_SingleThreadedUnaryStreamMultiCallable.__call__",
    ends=follow_single,
    current=False,
)
def request(call: Call) -> Hop:
    metadata = list(call["metadata"] or ())
    call["metadata"] = metadata
    return outgoing(call.instance._method, call.instance._target, metadata)


@aio_client.calls(
    "grpc.aio._call:UnaryUnaryCall.__init__",
    "grpc.aio._call:UnaryStreamCall.__init__",
    "grpc.aio._call:StreamUnaryCall.__init__",
    "grpc.aio._call:StreamStreamCall.__init__",
    ends=follow_aio,
    current=False,
)
def aio_request(call: Call) -> Hop:
    metadata = list(call["metadata"])
    call["metadata"] = metadata
    return outgoing(call["method"], aio_target(call["channel"]), metadata)


@aio_client.wraps("grpc.aio._channel:Channel.__init__")
def construct_channel(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> None:
    call = Call.of(wrapped, instance, args, kwargs)
    call.proceed(wrapped)
    aio_client._guarded(remember, instance, call["target"])


@server.wraps("grpc._server:_Server.__init__")
def construct(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    call = Call.of(wrapped, instance, args, kwargs)
    return _intercepted(call, Interceptor(server)).proceed(wrapped)


@aio_server.wraps("grpc.aio._server:Server.__init__")
def construct_aio(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    call = Call.of(wrapped, instance, args, kwargs)
    return _intercepted(call, AioInterceptor(aio_server)).proceed(wrapped)


def _intercepted(call: Call, first: object) -> Call:
    call["interceptors"] = (first, *(call["interceptors"] or ()))
    return call
