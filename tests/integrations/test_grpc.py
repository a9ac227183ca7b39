"""gRPC, both sides at once, and what the kit leaves as it was."""

import asyncio
import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_tools import protoc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import (
    GrpcAioInstrumentorClient,
    GrpcAioInstrumentorServer,
    GrpcInstrumentorClient,
    GrpcInstrumentorServer,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.integrations.grpc import aio_client, aio_server, client, integration, server
from otel_kit.testing import Telemetry
from tests.integrations.grpc_service import (
    KINDS,
    SERVICE,
    AioEcho,
    Echo,
    Recorded,
    aio_ask,
    aio_serving,
    ask,
    attributes,
    behaviors,
    recorded,
    running,
    serving,
)

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
PARTS = [b"one", b"two", b"three"]
SIDES = (client, server, aio_client, aio_server)


def one_trace(seen: Recorded, kind: str, address: str) -> None:
    """One CLIENT and one SERVER span of the call, in one trace, each counted for its edge."""
    caller, callee = seen.one(CLIENT), seen.one(SERVER)
    assert callee.parent is not None
    assert caller.context.trace_id == callee.context.trace_id
    assert caller.context.span_id == callee.parent.span_id
    assert [f"{SERVICE}/{kind}"] * 2 == [caller.name, callee.name]
    assert [caller.status.status_code, callee.status.status_code] == [StatusCode.UNSET] * 2
    assert address == ":".join(
        str(attributes(caller)[name]) for name in (names.SERVER_ADDRESS, names.SERVER_PORT)
    )
    for side in ("client", "server"):
        assert seen.count(side, client="tested", server="tested", operation=caller.name) == 1
        assert seen.telemetry.count(f"rpc.{side}.call.duration") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_between_sync_sides_is_one_trace(kind: str) -> None:
    """A synchronous client and server record one hop each, with the answer unchanged."""
    with recorded() as seen:
        with serving(**behaviors(Echo)) as address:
            assert await asyncio.to_thread(ask, address, kind, PARTS) == b"one two three"
        one_trace(seen, kind, address)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_between_aio_sides_is_one_trace(kind: str) -> None:
    """An asyncio client and server record one hop each, with the answer unchanged."""
    with recorded() as seen:
        async with aio_serving(**behaviors(AioEcho)) as address:
            assert await aio_ask(address, kind, PARTS) == b"one two three"
        one_trace(seen, kind, address)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_from_aio_to_sync_is_one_trace(kind: str) -> None:
    """An asyncio client of a synchronous server records one hop each."""
    with recorded() as seen:
        with serving(**behaviors(Echo)) as address:
            assert await aio_ask(address, kind, PARTS) == b"one two three"
        one_trace(seen, kind, address)


async def test_fifty_concurrent_calls_do_not_mix() -> None:
    """Each of many concurrent calls is one trace of its own, with its own caller."""
    with recorded() as seen:
        tracer = seen.telemetry.tracer_provider.get_tracer("app")

        async def one(address: str, kind: str) -> None:
            with tracer.start_as_current_span("app"):
                await aio_ask(address, kind, PARTS)

        async with aio_serving(**behaviors(AioEcho)) as address:
            await asyncio.gather(*(one(address, KINDS[n % 4]) for n in range(50)))

        apps = {(s.context.trace_id, s.context.span_id) for s in seen.of(SpanKind.INTERNAL, 50)}
        calls = {
            (s.parent.trace_id, s.parent.span_id, s.context.span_id)
            for s in seen.of(CLIENT, 50)
            if s.parent
        }
        parents = {(s.parent.trace_id, s.parent.span_id) for s in seen.of(SERVER, 50) if s.parent}
    assert len(apps) == 50
    assert apps == {(trace_id, span_id) for trace_id, span_id, _ in calls}
    assert parents == {(trace_id, own_id) for trace_id, _, own_id in calls}


@pytest.mark.parametrize(
    ("instrumentor", "missing"),
    [
        (GrpcInstrumentorClient, "client"),
        (GrpcInstrumentorServer, "server"),
    ],
)
def test_one_side_steps_aside_for_opentelemetry(instrumentor: Any, missing: str) -> None:
    """While OpenTelemetry's instrumentation of one side is active, that side is left to it."""
    with recorded() as seen:
        instrumentor().instrument(tracer_provider=seen.telemetry.tracer_provider)
        try:
            with serving(**behaviors(Echo)) as address:
                ask(address, "unary_unary", PARTS)
        finally:
            instrumentor().uninstrument()

    assert {"client": 1, "server": 1} | {missing: 0} == own_spans(seen.telemetry)


def own_spans(telemetry: Telemetry) -> dict[str, int]:
    """How many spans of either side are ours."""
    scopes = {
        side: [s.instrumentation_scope for s in telemetry.matching(kind=kind)]
        for side, kind in (("client", SpanKind.CLIENT), ("server", SpanKind.SERVER))
    }
    return {side: sum(s.name == names.SCOPE for s in found if s) for side, found in scopes.items()}


@pytest.mark.parametrize(
    ("instrumentor", "missing"),
    [(GrpcAioInstrumentorClient, "client"), (GrpcAioInstrumentorServer, "server")],
)
async def test_one_aio_side_steps_aside_for_opentelemetry(instrumentor: Any, missing: str) -> None:
    """The same for asyncio; the synchronous sides go on."""
    with recorded() as seen:
        instrumentor().instrument(tracer_provider=seen.telemetry.tracer_provider)
        try:
            async with aio_serving(**behaviors(AioEcho)) as address:
                await aio_ask(address, "unary_unary", PARTS)
            with serving(**behaviors(Echo)) as address:
                await asyncio.to_thread(ask, address, "unary_unary", PARTS)
        finally:
            instrumentor().uninstrument()

        assert {s: seen.count(s) for s in ("client", "server")} == {"client": 2, "server": 2}
    assert {"client": 2, "server": 2} | {missing: 1} == own_spans(seen.telemetry)


def test_a_filter_given_to_opentelemetrys_instrumentor_stays() -> None:
    """Asking whether an instrumentor is active does not construct it again, without its filter."""
    try:
        instrumentor = GrpcInstrumentorServer(filter_=lambda call: False)
        with recorded(), serving(**behaviors(Echo)) as address:
            ask(address, "unary_unary", PARTS)

        assert instrumentor._filter is not None
        assert list(integration.instrumentors(load=True))[1] is instrumentor
        assert instrumentor._filter is not None
    finally:
        GrpcInstrumentorServer()


def test_the_exporters_own_calls_are_no_hops() -> None:
    """Spans that leave by OTLP over gRPC do not make spans."""
    exported = []

    def export(request: bytes, context: Any) -> bytes:
        exported.append(request)
        return b""

    with recorded() as seen:
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        handler = grpc.method_handlers_generic_handler(
            service, {"Export": grpc.unary_unary_rpc_method_handler(export)}
        )
        with running(handler) as address:
            provider = TracerProvider(shutdown_on_exit=False)
            exporter = OTLPSpanExporter(endpoint=address, insecure=True)
            provider.add_span_processor(BatchSpanProcessor(exporter))
            provider.get_tracer("app").start_span("app").end()
            provider.shutdown()
        assert len(exported) == 1
        assert seen.telemetry.matching(kind=CLIENT) == []


PROTO = """
syntax = "proto3";
package shop;
message Order { string id = 1; }
service Shop { rpc Place(Order) returns (Order); rpc Watch(Order) returns (stream Order); }
"""


def test_generated_stubs_and_servicers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What protoc generates is seen, with its registered methods, as handwritten handlers are."""
    (tmp_path / "otel_kit_shop.proto").write_text(PROTO)
    options = [
        f"--{option}={tmp_path}" for option in ("proto_path", "python_out", "grpc_python_out")
    ]
    assert protoc.main(["protoc", *options, "otel_kit_shop.proto"]) == 0
    monkeypatch.syspath_prepend(tmp_path)
    messages = importlib.import_module("otel_kit_shop_pb2")
    stubs = importlib.import_module("otel_kit_shop_pb2_grpc")

    class Shop(stubs.ShopServicer):  # type: ignore[misc, name-defined]
        def Place(self, request: Any, context: Any) -> Any:  # noqa: N802
            return request

        def Watch(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
            yield request

    with recorded() as seen:
        pool = ThreadPoolExecutor()
        shop = grpc.server(pool)
        stubs.add_ShopServicer_to_server(Shop(), shop)
        port = shop.add_insecure_port("127.0.0.1:0")
        shop.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = stubs.ShopStub(channel)
            assert stub.Place(messages.Order(id="17")).id == "17"
            assert [order.id for order in stub.Watch(messages.Order(id="17"))] == ["17"]
        shop.stop(None).wait()
        pool.shutdown()
        spans = seen.of(CLIENT, 2) + seen.of(SERVER, 2)
    assert {"shop.Shop/Place", "shop.Shop/Watch"} == {span.name for span in spans}
    assert len({span.context.trace_id for span in spans}) == 2
