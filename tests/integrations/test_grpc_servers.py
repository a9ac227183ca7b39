"""gRPC servers: the span in which the handler's code runs, whatever kind of handler it is."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from otel_kit import names
from tests.contract.harness.grpc import uninstrumented
from tests.integrations.grpc_service import (
    TIMEOUT,
    AioEcho,
    Echo,
    aio_ask,
    aio_serving,
    ask,
    attributes,
    behaviors,
    exceptions,
    failing,
    handlers,
    method,
    recorded,
    serving,
)

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER


class Passing(grpc.ServerInterceptor):  # type: ignore[misc]
    """An interceptor that notes what it sees."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.passed.append(details.method)
        return continuation(details)


def test_positional_interceptors() -> None:
    """Interceptors given by position, to a function imported early, work beside ours."""
    from_grpc, own = grpc.server, Passing()
    with recorded() as seen, ThreadPoolExecutor() as pool:
        server = from_grpc(pool, (handlers(**behaviors(Echo)),), (own,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        ask(f"127.0.0.1:{port}", "unary_unary", [b"x"])
        server.stop(None).wait()
        seen.of(SERVER)
    assert own.passed == ["/shop.Orders/unary_unary"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_streaming_handler_is_inside_its_spans_throughout(asynchronous: bool) -> None:
    """A span that a generator opens stays current in it over its yields, and is its own only."""
    with recorded() as seen:
        tracer = seen.telemetry.tracer_provider.get_tracer("app")
        current: list[trace.Span] = []

        def work(request: bytes, context: Any) -> Iterator[bytes]:
            current.append(trace.get_current_span())
            with tracer.start_as_current_span("work") as own:
                for part in request.split():
                    yield part
                    assert own is trace.get_current_span()
            current.append(trace.get_current_span())

        async def aio_work(request: bytes, context: Any) -> AsyncIterator[bytes]:
            current.append(trace.get_current_span())
            with tracer.start_as_current_span("work") as own:
                for part in request.split():
                    yield part
                    assert own is trace.get_current_span()
            current.append(trace.get_current_span())

        if asynchronous:
            async with aio_serving(unary_stream=aio_work) as address:
                assert await aio_ask(address, "unary_stream", [b"one two"]) == b"one two"
        else:
            with serving(unary_stream=work) as address:
                assert await aio_ask(address, "unary_stream", [b"one two"]) == b"one two"
        span = await seen.aone(SERVER)
        (own,) = seen.of(SpanKind.INTERNAL)
    assert own.parent is not None
    assert own.parent.span_id == span.context.span_id
    assert [span.context.span_id] * 2 == [one.get_span_context().span_id for one in current]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_cleanup_of_a_left_stream_is_inside_its_span(asynchronous: bool) -> None:
    """A generator whose caller hangs up cleans up within its span, which is then CANCELLED."""
    cleaned: list[trace.Span] = []
    yielded = threading.Event()

    def endless(request: bytes, context: Any) -> Iterator[bytes]:
        try:
            while True:
                yield b"one"
                yielded.set()
        finally:
            cleaned.append(trace.get_current_span())

    async def aio_endless(request: bytes, context: Any) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"one"
                yielded.set()
        finally:
            cleaned.append(trace.get_current_span())

    async def leave(address: str) -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            call = method(channel, "unary_stream")(b"")
            await call.read()
            await asyncio.to_thread(yielded.wait, TIMEOUT)
            call.cancel()

    with recorded() as seen:
        if asynchronous:
            async with aio_serving(unary_stream=aio_endless) as address:
                await leave(address)
                gc.collect()
                span = await seen.aone(SERVER)
        else:
            with serving(unary_stream=endless) as address:
                await leave(address)
                span = await seen.aone(SERVER)
    assert attributes(span)[names.RPC_STATUS_CODE] == "CANCELLED"
    assert [span.context.span_id] == [one.get_span_context().span_id for one in cleaned]


async def test_an_aio_handler_that_writes_and_reads() -> None:
    """A handler by context.write() and read() runs within its span to its end."""
    inside: list[int] = []

    async def work(request: Any, context: Any) -> None:
        while (part := await context.read()) is not grpc.aio.EOF:
            inside.append(trace.get_current_span().get_span_context().span_id)
            await context.write(part)

    with recorded() as seen:
        async with aio_serving(stream_stream=work) as address:
            assert await aio_ask(address, "stream_stream", [b"one", b"two"]) == b"one two"
        span = await seen.aone(SERVER)
    assert inside == [span.context.span_id] * 2
    assert attributes(span)[names.RPC_STATUS_CODE] == "OK"


async def test_synchronous_handlers_of_an_aio_server() -> None:
    """An aio server runs handlers of the synchronous kind in threads: within their spans, too."""
    inside: list[int] = []

    def parts(request: bytes, context: Any) -> Iterator[bytes]:
        for part in request.split():
            inside.append(trace.get_current_span().get_span_context().span_id)
            yield part

    def refuse(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-own", "1"),))
        context.set_code(grpc.StatusCode.DATA_LOSS)
        return b""

    with recorded() as seen, ThreadPoolExecutor() as pool:
        async with aio_serving(
            pool=pool, unary_stream=parts, unary_unary=refuse, stream_unary=Echo.stream_unary
        ) as address:
            assert await aio_ask(address, "unary_stream", [b"one two"]) == b"one two"
            span = await seen.aone(SERVER)
            error = await failing(address, "unary_unary")
            assert await aio_ask(address, "stream_unary", [b"one", b"two"]) == b"one two"
            statuses = [attributes(s)[names.RPC_STATUS_CODE] for s in seen.of(SERVER, 3)]
    assert inside == [span.context.span_id] * 2
    assert statuses == ["OK", "DATA_LOSS", "OK"]
    assert ("x-own", "1") in tuple(error.trailing_metadata() or ())


async def test_an_abort_in_a_synchronous_handler_of_an_aio_server() -> None:
    """What such a handler aborts with is its status, and no exception of the application's."""

    def abort(request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        return b""

    with recorded() as seen, ThreadPoolExecutor() as pool:
        async with aio_serving(pool=pool, unary_unary=abort) as address:
            error = await failing(address, "unary_unary")
        span = await seen.aone(SERVER)
    assert grpc.StatusCode.NOT_FOUND is error.code()
    assert attributes(span)[names.RPC_STATUS_CODE] == "NOT_FOUND"
    assert exceptions(span) == []


async def test_the_span_in_which_a_server_was_started_is_no_parent() -> None:
    """An aio server that is started within a span does not put its calls into that trace."""
    with recorded() as seen:
        tracer = seen.telemetry.tracer_provider.get_tracer("app")
        with tracer.start_as_current_span("starting"):
            serving_within = aio_serving(**behaviors(AioEcho))
            address = await serving_within.__aenter__()
        with uninstrumented():
            await aio_ask(address, "unary_unary", [b"x"])
        await serving_within.__aexit__(None, None, None)
        assert (await seen.aone(SERVER)).parent is None


async def test_a_server_that_outlives_the_kit_goes_on() -> None:
    """After uninstall a server that was made before answers as ever, and records nothing."""
    with recorded() as seen:
        serving_on = serving(**behaviors(Echo))
        address = serving_on.__enter__()
    assert await aio_ask(address, "unary_unary", [b"x"]) == b"x"
    serving_on.__exit__(None, None, None)
    assert seen.telemetry.spans == []
