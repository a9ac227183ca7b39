"""gRPC, synchronous and asynchronous, over generic handlers whose messages are bytes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self

import grpc
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from otel_kit.testing.contract.base import (
    Behaviour,
    ClientHarness,
    HandlerError,
    Reply,
    Seen,
    ServerHarness,
)

SERVICE = "contract.Tested"
_CODES = {
    Behaviour.CLIENT_ERROR: grpc.StatusCode.NOT_FOUND,
    Behaviour.SERVER_ERROR: grpc.StatusCode.INTERNAL,
    Behaviour.THROTTLED: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_PARTS = (b"one", b"two", b"three")


@contextmanager
def uninstrumented() -> Iterator[None]:
    """What is called or started here is no hop: the other side of the library under test."""
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        detach(token)


def headers_of(metadata: Any) -> dict[str, str]:
    """Metadata by name."""
    return {key: value for key, value in metadata or () if isinstance(value, str)}


class Handlers(grpc.GenericRpcHandler):
    """`/contract.Tested/<behaviour>` answered by `unary`, or where it streams by `stream`."""

    def __init__(self, unary: Callable[..., Any], stream: Callable[..., Any] | None = None) -> None:
        self._unary = unary
        self._stream = stream

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        service, _, method = details.method.strip("/").partition("/")
        if service != SERVICE or method not in list(Behaviour):
            return None
        if method == Behaviour.STREAMS and self._stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self._unary)


class _Client(ClientHarness):
    library = "grpc"
    transport = "grpc"
    operation = f"{SERVICE}/ok"
    timeout_error = grpc.RpcError
    connection_error = grpc.RpcError

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((Handlers(self._answer),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        with uninstrumented():
            await self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.stop(None)

    async def _answer(self, request: bytes, context: Any) -> bytes:
        self.seen.append(Seen(headers_of(context.invocation_metadata())))
        self.on_seen()
        if self.server_timing:
            context.set_trailing_metadata((("server-timing", self.server_timing),))
        behaviour = Behaviour(request.decode())
        if behaviour is Behaviour.SILENT:
            await asyncio.Event().wait()
        if behaviour in _CODES:
            await context.abort(_CODES[behaviour], "on purpose")
        return b"ok"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def native_headers(self, headers: dict[str, str]) -> object:
        return list(headers.items())

    async def request(
        self, behaviour: Behaviour, *, headers: object = None, timeout: float = 30
    ) -> Reply:
        return await self._ask(self.address, behaviour, headers, timeout)

    async def unreachable(self) -> None:
        await self._ask("127.0.0.1:1", Behaviour.OK, None, 5)

    async def _ask(
        self, target: str, behaviour: Behaviour, headers: object, timeout: float
    ) -> Reply:
        raise NotImplementedError


class GrpcSync(_Client):
    cancelled_class = "timeout"

    async def _ask(
        self, target: str, behaviour: Behaviour, headers: object, timeout: float
    ) -> Reply:
        def ask() -> Reply:
            with grpc.insecure_channel(target) as channel:
                stub = channel.unary_unary(f"/{SERVICE}/{behaviour}")
                _, call = stub.with_call(behaviour.encode(), timeout, headers)
                return Reply(headers_of(call.trailing_metadata()), call.code().name)

        self._call = asyncio.create_task(asyncio.to_thread(ask))
        return await asyncio.shield(self._call)

    async def settled(self) -> None:
        await asyncio.wait([self._call])
        self._call.exception()


class GrpcAio(_Client):
    def native_headers(self, headers: dict[str, str]) -> object:
        return grpc.aio.Metadata(*headers.items())

    async def _ask(self, target: str, behaviour: Behaviour, headers: Any, timeout: float) -> Reply:
        async with grpc.aio.insecure_channel(target) as channel:
            stub = channel.unary_unary(f"/{SERVICE}/{behaviour}")
            call = stub(behaviour.encode(), timeout=timeout, metadata=headers)
            await call
            return Reply(headers_of(await call.trailing_metadata()), (await call.code()).name)


class _Server(ServerHarness):
    library = "grpc"
    transport = "grpc"
    operation = f"{SERVICE}/ok"
    unknown = "_OTHER"
    unknown_class = "server_error"
    ok_status = "OK"
    port: int

    async def request(
        self, behaviour: Behaviour, *, headers: dict[str, str] | None = None, path: str = ""
    ) -> Reply:
        metadata = tuple((headers or {}).items())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            method = f"/{SERVICE}/{behaviour}{path}"
            with uninstrumented():
                call = channel.unary_stream(method)(behaviour.encode(), metadata=metadata)
            try:
                async for _ in call:
                    pass
            except grpc.aio.AioRpcError:
                pass
            return Reply(headers_of(await call.trailing_metadata()), (await call.code()).name)

    def _saw(self, context: Any) -> None:
        self.seen.append(Seen(headers_of(context.invocation_metadata())))


class GrpcSyncServer(_Server):
    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor()
        self._server = grpc.server(self._pool, (Handlers(self._answer, self._parts),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(lambda: self._server.stop(None).wait())
        await asyncio.to_thread(self._pool.shutdown)

    def _requested(self) -> None:
        """`on_request` belongs to the event loop: the handler waits for it there."""

        async def requested() -> None:
            self.on_request()

        asyncio.run_coroutine_threadsafe(requested(), self._loop).result()

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._saw(context)
        self._requested()
        behaviour = Behaviour(request.decode())
        if behaviour is Behaviour.RAISES:
            raise HandlerError("on purpose")
        if behaviour is Behaviour.SILENT:
            gone = threading.Event()
            if context.add_callback(gone.set):
                gone.wait()
        if behaviour in _CODES:
            context.abort(_CODES[behaviour], "on purpose")
        return b"ok"

    def _parts(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self._saw(context)
        self._requested()
        for part in _PARTS:
            self._saw(context)
            yield part


class GrpcAioServer(_Server):
    def __init__(self) -> None:
        super().__init__()
        self._calls: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server(handlers=(Handlers(self._answer, self._parts),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.stop(None)
        await self.settled()

    async def settled(self) -> None:
        """Stopping a server does not wait for handlers that are being cancelled."""
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _saw(self, context: Any) -> None:
        super()._saw(context)
        if (call := asyncio.current_task()) is not None:
            self._calls.add(call)

    async def _answer(self, request: bytes, context: Any) -> bytes:
        self._saw(context)
        self.on_request()
        behaviour = Behaviour(request.decode())
        if behaviour is Behaviour.RAISES:
            raise HandlerError("on purpose")
        if behaviour is Behaviour.SILENT:
            await asyncio.Event().wait()
        if behaviour in _CODES:
            await context.abort(_CODES[behaviour], "on purpose")
        return b"ok"

    async def _parts(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self._saw(context)
        self.on_request()
        for part in _PARTS:
            self._saw(context)
            yield part
