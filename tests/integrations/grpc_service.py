"""A gRPC service of bytes with a method of each kind, its servers, its clients, and its spans."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing import Telemetry, capture

SERVICE = "shop.Orders"
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
TIMEOUT = 10


class Recorded:
    """Telemetry whose spans can be waited for: a call's two sides end when they like."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self._ended = threading.Condition()
        telemetry.watch(lambda span, parent: None, self._on_end)

    def _on_end(self, span: object) -> None:
        with self._ended:
            self._ended.notify_all()

    def of(self, kind: SpanKind, count: int = 1) -> list[ReadableSpan]:
        """The first `count` spans of that kind; waits for them."""
        with self._ended:
            matching = self.telemetry.matching
            assert self._ended.wait_for(lambda: len(matching(kind=kind)) >= count, TIMEOUT)
            return matching(kind=kind)

    def one(self, kind: SpanKind) -> ReadableSpan:
        """The one span of that kind."""
        (span,) = self.of(kind)
        return span

    async def aone(self, kind: SpanKind) -> ReadableSpan:
        """The one span of that kind, where the event loop must go on meanwhile."""
        return await asyncio.to_thread(self.one, kind)

    def count(self, side: str, **labels: object) -> int:
        """How many hops with these labels were counted."""
        return self.telemetry.count(names.HOP_DURATION, transport="grpc", side=side, **labels)


@contextmanager
def recorded(service: str = "tested") -> Iterator[Recorded]:
    """gRPC instrumented, and nothing else."""
    with capture(service, integrations=("grpc",)) as telemetry:
        yield Recorded(telemetry)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """The span's attributes."""
    return dict(span.attributes or {})


def exceptions(span: ReadableSpan) -> list[str]:
    """The types of the exceptions that the span recorded."""
    return [str((event.attributes or {})["exception.type"]) for event in span.events]


def service(**methods: grpc.RpcMethodHandler) -> grpc.GenericRpcHandler:
    """The service, with a method of each kind under the kind's own name."""
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def handlers(**behaviors: Callable[..., Any]) -> grpc.GenericRpcHandler:
    """The same from functions."""
    made = (
        getattr(grpc, f"{kind}_rpc_method_handler")(behavior)
        for kind, behavior in behaviors.items()
    )
    return service(**dict(zip(behaviors, made, strict=True)))


class Echo:
    """Handlers of each kind that answer what they were asked, or join it."""

    @staticmethod
    def unary_unary(request: bytes, context: Any) -> bytes:
        return request

    @staticmethod
    def unary_stream(request: bytes, context: Any) -> Iterator[bytes]:
        yield from request.split()

    @staticmethod
    def stream_unary(requests: Iterator[bytes], context: Any) -> bytes:
        return b" ".join(requests)

    @staticmethod
    def stream_stream(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield from requests


class AioEcho:
    """The same for asyncio."""

    @staticmethod
    async def unary_unary(request: bytes, context: Any) -> bytes:
        return request

    @staticmethod
    async def unary_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for part in request.split():
            yield part

    @staticmethod
    async def stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b" ".join([request async for request in requests])

    @staticmethod
    async def stream_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request


def behaviors(echo: type) -> dict[str, Callable[..., Any]]:
    """The handlers of an echo."""
    return {kind: getattr(echo, kind) for kind in KINDS}


@contextmanager
def running(
    handler: grpc.GenericRpcHandler, *interceptors: grpc.ServerInterceptor
) -> Iterator[str]:
    """The address of a synchronous server, stopped with all its handlers at the end."""
    pool = ThreadPoolExecutor(thread_name_prefix="grpc-server")
    server = grpc.server(pool, (handler,), interceptors=interceptors)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
        pool.shutdown()


def serving(
    *interceptors: grpc.ServerInterceptor, **behaviors: Callable[..., Any]
) -> AbstractContextManager[str]:
    """The same, with a handler of each kind."""
    return running(handlers(**behaviors), *interceptors)


@asynccontextmanager
async def aio_serving(
    *interceptors: grpc.aio.ServerInterceptor,
    pool: ThreadPoolExecutor | None = None,
    **behaviors: Callable[..., Any],
) -> AsyncIterator[str]:
    """The address of an asyncio server; `pool` runs its synchronous handlers."""
    server = grpc.aio.server(pool, (handlers(**behaviors),), interceptors=interceptors)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def calling(target: str, **options: Any) -> AbstractContextManager[grpc.Channel]:
    """A synchronous channel."""
    return grpc.insecure_channel(target, **options)


def method(channel: Any, kind: str) -> Any:
    """The multi-callable of that kind."""
    return getattr(channel, kind)(f"/{SERVICE}/{kind}")


def ask(target: str, kind: str, parts: Sequence[bytes]) -> bytes:
    """One synchronous call of that kind, read to its end."""
    with calling(target) as channel:
        request = iter(parts) if kind.startswith("stream") else b" ".join(parts)
        response = method(channel, kind)(request, timeout=TIMEOUT)
        return b" ".join(response) if kind.endswith("stream") else response


async def aio_ask(target: str, kind: str, parts: Sequence[bytes]) -> bytes:
    """One asyncio call of that kind, read to its end."""
    async with grpc.aio.insecure_channel(target) as channel:
        request = iter(parts) if kind.startswith("stream") else b" ".join(parts)
        call = method(channel, kind)(request, timeout=TIMEOUT)
        if kind.endswith("stream"):
            return b" ".join([part async for part in call])
        return bytes(await call)


def endless(request: bytes, context: Any) -> Iterator[bytes]:
    """Yields one part and waits for the caller to go."""
    yield b"one"
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(TIMEOUT)


async def aio_endless(request: bytes, context: Any) -> AsyncIterator[bytes]:
    """The same for asyncio."""
    yield b"one"
    await asyncio.Event().wait()


async def failing(address: str, kind: str) -> grpc.aio.AioRpcError:
    """The error of a call by an asyncio client."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await aio_ask(address, kind, [b"x"])
    return raised.value
