"""gRPC clients: what the caller holds, in whose context its code runs, what is sent."""

import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc import insecure_channel
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.integrations._grpc_client import address as parsed
from tests.integrations.grpc_service import (
    TIMEOUT,
    Echo,
    attributes,
    behaviors,
    endless,
    method,
    recorded,
    serving,
)

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER


def test_the_application_gets_grpcs_own_call_object() -> None:
    """A synchronous stream is the library's own object: started, not a generator, with a code."""
    started = threading.Event()

    def start(request: bytes, context: Any) -> Iterator[bytes]:
        started.set()
        context.set_trailing_metadata((("x-own", "1"),))
        yield b"one"

    with (
        recorded(),
        serving(unary_stream=start) as address,
        grpc.insecure_channel(address) as channel,
    ):
        call = method(channel, "unary_stream")(b"")
        assert started.wait(TIMEOUT)
        assert type(call).__name__ == "_MultiThreadedRendezvous"
        assert not inspect.isgenerator(call)
        done = threading.Event()
        call.add_done_callback(lambda same: same is call and done.set())
        assert list(call) == [b"one"]
        assert grpc.StatusCode.OK is call.code()
        assert ("x-own", "1") in call.trailing_metadata()
        assert done.wait(TIMEOUT)


def test_code_between_two_responses_is_no_child_of_the_call() -> None:
    """What the caller does while it reads a stream happens in the caller's own span."""
    with recorded() as seen, serving(**behaviors(Echo)) as address:
        tracer = seen.telemetry.tracer_provider.get_tracer("app")
        with (
            grpc.insecure_channel(address) as channel,
            tracer.start_as_current_span("app") as outer,
        ):
            for _ in method(channel, "unary_stream")(b"one two"):
                assert outer is trace.get_current_span()
        seen.of(CLIENT)


def test_nothing_is_left_of_a_stream_that_outlives_its_span() -> None:
    """A call object that is dropped after its caller's span has ended leaves no context behind."""
    with recorded() as seen, serving(unary_stream=endless) as address:
        tracer = seen.telemetry.tracer_provider.get_tracer("app")
        before = context.get_current()
        with grpc.insecure_channel(address) as channel:
            with tracer.start_as_current_span("app"):
                call = method(channel, "unary_stream")(b"")
                next(call)
            assert before is context.get_current()
            del call
            seen.of(CLIENT)
            assert before is context.get_current()


async def test_a_request_iterator_runs_in_the_callers_context() -> None:
    """The application's own code that feeds a call is no child of it, synchronous or not."""
    inside = []

    def requests() -> Iterator[bytes]:
        inside.append(trace.get_current_span())
        yield b"one"

    async def aio_requests() -> AsyncIterator[bytes]:
        inside.append(trace.get_current_span())
        yield b"one"

    with recorded() as seen, serving(**behaviors(Echo)) as address:
        tracer = seen.telemetry.tracer_provider.get_tracer("app")
        with tracer.start_as_current_span("app") as outer:
            with grpc.insecure_channel(address) as channel:
                method(channel, "stream_unary")(requests())
            async with grpc.aio.insecure_channel(address) as aio_channel:
                await method(aio_channel, "stream_unary")(aio_requests())

    assert all(span in (outer, trace.INVALID_SPAN) for span in inside)
    assert outer is inside[1]


class Retrying(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Calls again if the server was not available."""

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        if call.code() is grpc.StatusCode.UNAVAILABLE:
            call = continuation(details, request)
        return call


class AioRetrying(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """The same for asyncio."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        if await call.code() is grpc.StatusCode.UNAVAILABLE:
            call = await continuation(details, request)
        return call


def flaky() -> Callable[[bytes, Any], bytes]:
    """A handler that is not available the first time."""
    attempts: list[bytes] = []

    def answer(request: bytes, context: Any) -> bytes:
        attempts.append(request)
        if len(attempts) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return request

    return answer


async def test_each_attempt_of_a_retrying_interceptor_is_a_hop() -> None:
    """The application's own interceptor calls twice: two hops, and each has its own server span."""
    for asynchronous in (False, True):
        with recorded() as seen, serving(unary_unary=flaky()) as address:
            if asynchronous:
                async with grpc.aio.insecure_channel(
                    address, interceptors=[AioRetrying()]
                ) as aio_channel:
                    assert await method(aio_channel, "unary_unary")(b"x") == b"x"
            else:
                with grpc.insecure_channel(address) as plain:
                    channel = grpc.intercept_channel(plain, Retrying())
                    assert method(channel, "unary_unary")(b"x") == b"x"
            callers, callees = seen.of(CLIENT, 2), seen.of(SERVER, 2)

        statuses = {attributes(span)[names.RPC_STATUS_CODE] for span in callers}
        assert {"UNAVAILABLE", "OK"} == statuses
        parents = {span.parent.span_id for span in callees if span.parent}
        assert {span.context.span_id for span in callers} == parents


async def test_channels_made_before_are_seen() -> None:
    """A channel that was made, and a function that was imported, before instrument() is no gap."""
    with serving(**behaviors(Echo)) as address:
        aio_channel = grpc.aio.insecure_channel(address)
        with insecure_channel(address) as channel:
            stub = method(channel, "unary_unary")
            with recorded() as seen:
                stub(b"x")
                await method(aio_channel, "unary_unary")(b"x")
                spans = seen.of(CLIENT, 2)
        await aio_channel.close()
    port = int(address.rpartition(":")[2])
    ports = [attributes(span).get(names.SERVER_PORT) for span in spans]
    tells = hasattr(aio_channel._channel, "target")  # from grpcio 1.83 on
    assert ports == [port, port if tells else None]


@pytest.mark.parametrize(
    "metadata", [None, (), [("x-own", "1")], (("x-own", "1"), ("x-bin", b"\xff")), "aio"]
)
async def test_metadata_of_every_shape_arrives_and_stays_as_it_was(metadata: Any) -> None:
    """What the caller passes as metadata arrives beside ours, and its object is not changed."""
    arrived: list[dict[str, Any]] = []

    def note(request: bytes, context: Any) -> bytes:
        arrived.append(dict(context.invocation_metadata()))
        return request

    given = grpc.aio.Metadata(("x-own", "1")) if metadata == "aio" else metadata
    before = tuple(given or ())
    with recorded(), serving(unary_unary=note) as address:
        if metadata != "aio":
            with grpc.insecure_channel(address) as channel:
                method(channel, "unary_unary")(b"", TIMEOUT, given)
        async with grpc.aio.insecure_channel(address) as aio_channel:
            await method(aio_channel, "unary_unary")(b"", metadata=given)

    assert before == tuple(given or ())
    for headers in arrived:
        assert dict(before).items() <= headers.items()
        assert "traceparent" in headers


async def test_options_of_a_call_reach_grpc() -> None:
    """Deadline, compression and wait_for_ready work, by position and by name."""
    remaining = []

    def note(request: bytes, context: Any) -> bytes:
        remaining.append(context.time_remaining())
        return request

    gzip = grpc.Compression.Gzip
    with recorded(), serving(unary_unary=note) as address:
        with grpc.insecure_channel(address) as channel:
            stub = method(channel, "unary_unary")
            assert stub(b"x", TIMEOUT, None, None, True, gzip) == b"x"
            assert stub.future(b"x", timeout=TIMEOUT, compression=gzip).result() == b"x"
        async with grpc.aio.insecure_channel(address) as aio_channel:
            aio_stub = method(aio_channel, "unary_unary")
            assert await aio_stub(b"x", timeout=TIMEOUT, wait_for_ready=True) == b"x"

    assert all(0 < seconds < 2 * TIMEOUT for seconds in remaining)


def test_the_error_is_grpcs_own_and_tells_in_words() -> None:
    """A failed call raises what it raises without the kit; its details stand on the span."""
    with recorded() as seen, grpc.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(grpc.RpcError) as raised:
            method(channel, "unary_unary")(b"", TIMEOUT)
        span = seen.one(CLIENT)
    assert type(raised.value).__name__ == "_InactiveRpcError"
    assert raised.value.details() == span.status.description
    assert attributes(span)[names.SPAN_ERROR_CLASS] == "unavailable"


def test_a_call_on_a_closed_channel_raises_what_it_raised() -> None:
    """An error of the call itself ends the hop at once."""
    with recorded() as seen:
        with grpc.insecure_channel("127.0.0.1:1") as channel:
            stub = method(channel, "unary_stream")
        with pytest.raises(ValueError, match="Channel closed"):
            stub(b"")
        assert attributes(seen.one(CLIENT))[names.ERROR_TYPE] == "ValueError"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_failed_call_names_its_server(asynchronous: bool) -> None:
    """Who answered with an error is told by the error's trailing metadata."""

    def refuse(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-own", "1"),))
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        raise AssertionError

    with recorded("billing") as seen, serving(unary_unary=refuse) as address:
        if asynchronous:
            async with grpc.aio.insecure_channel(address) as aio_channel:
                with pytest.raises(grpc.RpcError) as raised:
                    await method(aio_channel, "unary_unary")(b"")
        else:
            with (
                grpc.insecure_channel(address) as channel,
                pytest.raises(grpc.RpcError) as raised,
            ):
                method(channel, "unary_unary")(b"")
        assert seen.count("client", server="billing", error_class="client_error") == 1
    assert ("x-own", "1") in tuple(raised.value.trailing_metadata())


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [
        ("orders:50051", "orders", 50051),
        ("dns:///orders:50051", "orders", 50051),
        ("dns://8.8.8.8/orders.example.com:443", "orders.example.com", 443),
        ("dns:orders:1", "orders", 1),
        ("orders", "orders", None),
        ("ipv4:10.0.0.1:80,10.0.0.2:80", "10.0.0.1", 80),
        ("ipv6:[2001:db8::1]:80", "2001:db8::1", 80),
        ("[::1]:80", "::1", 80),
        ("::1", "::1", None),
        ("unix:/run/orders.sock", "/run/orders.sock", None),
        ("unix:///run/orders.sock", "/run/orders.sock", None),
        ("unix:orders.sock", "orders.sock", None),
        ("unix-abstract:orders", "orders", None),
        ("xds:///orders", "orders", None),
        ("consul://dc1/orders", "orders", None),
        ("", None, None),
    ],
)
def test_the_address_is_read_from_the_target(target: str, host: str, port: int) -> None:
    """Every form of a channel's target gives the server's address and port."""
    assert (host, port) == parsed(target.encode())
