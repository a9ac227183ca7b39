"""gRPC servers: the status of a call, and what is an error of the handler's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import ErrorClass, classify_as, names
from tests.integrations.grpc_service import (
    TIMEOUT,
    AioEcho,
    Echo,
    Recorded,
    aio_serving,
    attributes,
    behaviors,
    exceptions,
    failing,
    method,
    recorded,
    running,
    service,
    serving,
)

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER


class Declined(Exception):
    """What a handler raises and nobody catches."""


class Status(NamedTuple):
    """A `grpc.Status`, as grpcio-status makes them."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str], ...]


DATA_LOSS = Status(grpc.StatusCode.DATA_LOSS, "on purpose", (("x-own", "1"),))


def raises(request: bytes, context: Any) -> bytes:
    raise Declined(request)


def raises_midway(request: bytes, context: Any) -> Iterator[bytes]:
    yield b"one"
    raise Declined(request)


async def aio_raises(request: bytes, context: Any) -> bytes:
    raise Declined(request)


async def aio_raises_midway(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"one"
    raise Declined(request)


def aborts(request: bytes, context: Any) -> bytes:
    context.abort_with_status(DATA_LOSS)
    raise AssertionError


async def aio_aborts(request: bytes, context: Any) -> bytes:
    await context.abort_with_status(DATA_LOSS)
    raise AssertionError


def sets_code(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata((("x-own", "1"),))
    context.set_code(grpc.StatusCode.DATA_LOSS)
    context.set_details("on purpose")
    return b""


async def aio_sets_code(request: bytes, context: Any) -> bytes:
    return sets_code(request, context)


def aborts_midway(request: bytes, context: Any) -> Iterator[bytes]:
    yield b"one"
    aborts(request, context)


async def aio_aborts_midway(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"one"
    await aio_aborts(request, context)


async def failed(
    seen: Recorded, kind: str, behavior: Callable[..., Any], *, asynchronous: bool
) -> tuple[grpc.aio.AioRpcError, ReadableSpan]:
    """What the client got of a handler that fails, and the handler's span."""
    if asynchronous:
        async with aio_serving(**{kind: behavior}) as address:
            error = await failing(address, kind)
    else:
        with serving(**{kind: behavior}) as address:
            error = await failing(address, kind)
    return error, await seen.aone(SERVER)


@pytest.mark.parametrize(
    ("kind", "behavior", "asynchronous"),
    [
        ("unary_unary", raises, False),
        ("unary_stream", raises, False),
        ("unary_stream", raises_midway, False),
        ("unary_unary", aio_raises, True),
        ("unary_stream", aio_raises, True),
        ("unary_stream", aio_raises_midway, True),
    ],
)
async def test_an_uncaught_exception_is_an_error(
    kind: str, behavior: Callable[..., Any], asynchronous: bool
) -> None:
    """The span says what the client sees, UNKNOWN, and has the exception once."""
    with recorded() as seen:
        error, span = await failed(seen, kind, behavior, asynchronous=asynchronous)
        assert seen.count("server", error_class="server_error") == 1
    assert (error.code(), span.status.status_code) == (grpc.StatusCode.UNKNOWN, StatusCode.ERROR)
    assert attributes(span)[names.RPC_STATUS_CODE] == "UNKNOWN"
    assert [Declined.__name__] == [name.rpartition(".")[2] for name in exceptions(span)]
    assert "Declined" in str(error.details()) or "b'x'" in str(error.details())


@pytest.mark.parametrize(
    ("kind", "behavior", "asynchronous"),
    [
        ("unary_unary", aborts, False),
        ("unary_unary", sets_code, False),
        ("unary_stream", aborts_midway, False),
        ("unary_unary", aio_aborts, True),
        ("unary_unary", aio_sets_code, True),
        ("unary_stream", aio_aborts_midway, True),
    ],
)
async def test_a_status_of_the_handlers_own(
    kind: str, behavior: Callable[..., Any], asynchronous: bool
) -> None:
    """abort, abort_with_status and set_code stand on the span in words, and are no exception."""
    with recorded() as seen:
        error, span = await failed(seen, kind, behavior, asynchronous=asynchronous)
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "on purpose")
    assert ("x-own", "1") in tuple(error.trailing_metadata() or ())
    assert attributes(span)[names.RPC_STATUS_CODE] == "DATA_LOSS"
    assert span.status.description == "on purpose"
    assert exceptions(span) == []


async def test_a_business_exception_is_no_server_error() -> None:
    """An exception that the application has classed keeps its class."""

    class OutOfStock(Exception):
        pass

    def refuse(request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.FAILED_PRECONDITION)
        raise OutOfStock

    classify_as(ErrorClass.BUSINESS, OutOfStock)
    with recorded() as seen:
        error, _ = await failed(seen, "unary_unary", refuse, asynchronous=False)
        assert seen.count("server", error_class="business") == 1
    assert grpc.StatusCode.FAILED_PRECONDITION is error.code()


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_passed_deadline_is_no_success(asynchronous: bool) -> None:
    """The server's hop of a call whose deadline has passed says DEADLINE_EXCEEDED."""

    def wait(request: bytes, context: Any) -> bytes:
        gone = threading.Event()
        if context.add_callback(gone.set):
            gone.wait(TIMEOUT)
        return b"late"

    async def aio_wait(request: bytes, context: Any) -> bytes:
        await asyncio.Event().wait()
        return b"late"

    async def run_out(seen: Recorded, address: str) -> ReadableSpan:
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
                await method(channel, "unary_unary")(b"", timeout=0.1)
        return await seen.aone(SERVER)

    with recorded() as seen:
        if asynchronous:
            async with aio_serving(unary_unary=aio_wait) as address:
                span = await run_out(seen, address)
        else:
            with serving(unary_unary=wait) as address:
                span = await run_out(seen, address)
        assert seen.count("server", error_class="timeout") == 1
    assert attributes(span)[names.RPC_STATUS_CODE] == "DEADLINE_EXCEEDED"
    assert StatusCode.ERROR is span.status.status_code


class Denying(grpc.ServerInterceptor):  # type: ignore[misc]
    """An interceptor that fails."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        raise Declined(details.method)


class AioDenying(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """The same for asyncio."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        raise Declined(details.method)


async def test_an_interceptor_that_fails_is_seen() -> None:
    """A call that the application's own interceptor fails is one hop, with a bounded name."""
    with recorded() as seen:
        with serving(Denying(), **behaviors(Echo)) as address:
            await failing(address, "unary_unary")
        async with aio_serving(AioDenying(), **behaviors(AioEcho)) as address:
            await failing(address, "unary_unary")
        spans = seen.of(SERVER, 2)
        assert seen.count("server", operation="_OTHER", error_class="server_error") == 2
    assert [len(exceptions(span)) for span in spans] == [1, 1]


async def test_a_response_that_cannot_be_sent_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A streaming handler whose response has no bytes is not a call that its client cancelled."""
    caplog.set_level("CRITICAL", "grpc")  # a kept traceback keeps the generator alive

    def parts(request: bytes, context: Any) -> Iterator[object]:
        yield b"one"
        yield object()

    handler = grpc.unary_stream_rpc_method_handler(parts, response_serializer=bytes)
    with recorded() as seen:
        with running(service(unary_stream=handler)) as address:
            error = await failing(address, "unary_stream")
        span = await seen.aone(SERVER)
    assert grpc.StatusCode.INTERNAL is error.code()
    assert attributes(span)[names.RPC_STATUS_CODE] == "INTERNAL"
    assert StatusCode.ERROR is span.status.status_code
