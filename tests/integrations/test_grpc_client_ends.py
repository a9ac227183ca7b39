"""gRPC clients: when a call ends: read to its end, half read, cancelled, forgotten."""

import asyncio
import gc
from typing import Any

import grpc
import pytest
from grpc.experimental import ChannelOptions
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from tests.integrations.grpc_service import (
    TIMEOUT,
    AioEcho,
    aio_endless,
    aio_serving,
    attributes,
    behaviors,
    endless,
    method,
    recorded,
    serving,
)

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
SINGLE = ((ChannelOptions.SingleThreadedUnaryStream, 1),)
BY_THREADS = pytest.mark.parametrize("options", [(), SINGLE], ids=["many-threads", "one-thread"])


async def test_aio_cancellation_reaches_the_server() -> None:
    """Cancelling the task that awaits an aio call cancels the handler, and both hops say so."""
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: bytes, context: Any) -> bytes:
        arrived.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    with recorded() as seen:
        async with (
            aio_serving(unary_unary=wait) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):

            async def call() -> None:
                await method(channel, "unary_unary")(b"")

            task = asyncio.create_task(call())
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(cancelled.wait(), TIMEOUT)
            for kind in (CLIENT, SERVER):
                span = await seen.aone(kind)
                assert attributes(span)[names.RPC_STATUS_CODE] == "CANCELLED"
                assert attributes(span)[names.SPAN_ERROR_CLASS] == "cancelled"
                assert StatusCode.UNSET is span.status.status_code


@BY_THREADS
def test_a_partly_read_stream_ends_when_it_is_cancelled(options: Any) -> None:
    """A stream that is cancelled half read, and dropped, ends its hop and the server's."""
    with (
        recorded() as seen,
        serving(unary_stream=endless) as address,
        grpc.insecure_channel(address, options) as channel,
    ):
        call = method(channel, "unary_stream")(b"")
        assert next(call) == b"one"
        assert seen.telemetry.matching(kind=CLIENT) == []
        assert call.cancel()
        with pytest.raises(grpc.RpcError):
            next(call)
        del call
        gc.collect()
        spans = seen.of(CLIENT) + seen.of(SERVER)
    assert [attributes(span)[names.RPC_STATUS_CODE] for span in spans] == ["CANCELLED"] * 2


@BY_THREADS
def test_a_partly_read_stream_ends_when_it_is_dropped(options: Any) -> None:
    """A stream that the application forgets half read is cancelled at once, as without the kit."""
    with (
        recorded() as seen,
        serving(unary_stream=endless) as address,
        grpc.insecure_channel(address, options) as channel,
    ):
        call = method(channel, "unary_stream")(b"")
        assert next(call) == b"one"
        del call
        spans = seen.of(CLIENT) + seen.of(SERVER)
    assert [attributes(span)[names.RPC_STATUS_CODE] for span in spans] == ["CANCELLED"] * 2


async def test_a_partly_read_aio_stream_ends_when_it_is_cancelled() -> None:
    """An aio stream that is cancelled half read ends its hop, and the server's."""
    with recorded() as seen:
        async with (
            aio_serving(unary_stream=aio_endless) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            call = method(channel, "unary_stream")(b"")
            assert await call.read() == b"one"
            call.cancel()
            spans = [await seen.aone(CLIENT), await seen.aone(SERVER)]
    assert [attributes(span)[names.RPC_STATUS_CODE] for span in spans] == ["CANCELLED"] * 2


async def test_a_partly_read_aio_stream_ends_with_its_channel_at_the_latest() -> None:
    """An aio stream that the application forgets half read ends its hop as soon as grpc notices."""
    with recorded() as seen:
        async with aio_serving(unary_stream=aio_endless) as address:
            async with grpc.aio.insecure_channel(address) as channel:
                call = method(channel, "unary_stream")(b"")
                assert await call.read() == b"one"
                del call
                gc.collect()
            spans = [await seen.aone(CLIENT), await seen.aone(SERVER)]
    assert [attributes(span)[names.RPC_STATUS_CODE] for span in spans] == ["CANCELLED"] * 2


async def test_write_and_read_without_end_of_file() -> None:
    """A call by write() and read() ends when the server ends it, though nobody reads to its end."""
    with recorded() as seen:
        async with (
            aio_serving(**behaviors(AioEcho)) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            call = method(channel, "stream_stream")()
            await call.write(b"one")
            assert await call.read() == b"one"
            await call.done_writing()
            assert attributes(await seen.aone(CLIENT))[names.RPC_STATUS_CODE] == "OK"
