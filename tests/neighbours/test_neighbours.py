"""Hops through what others have written: a proxy, and a service in another language."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.base import Seen
from otel_kit.testing.contract.contexts import SPAN_ID, TRACE_ID
from tests.contract.harness.starlette import FastApi
from tests.neighbours import envoy, node
from tests.providers.sink import Sink

pytestmark = pytest.mark.xdist_group("neighbours")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Of the service at either end, the kit's own."""
    with capture("shop", integrations=["fastapi", "httpx"]) as telemetry:
        yield telemetry


@pytest.fixture
def sink() -> Iterator[Sink]:
    """The collector of whoever stands between."""
    sink = Sink()
    yield sink
    sink.close()


async def order(address: str) -> None:
    """Ask for an order within a saga, for a caller that another vendor's tracer has seen."""
    caller = SpanContext(TRACE_ID, SPAN_ID, True, TraceFlags(1), TraceState([("vendor", "kept")]))
    token = attach(set_span_in_context(NonRecordingSpan(caller)))
    with otel_kit.saga("ORD-1", "order"):
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://{address}/do/ok")
    detach(token)
    assert answer.text == "ok"


def ends(telemetry: Telemetry) -> tuple[ReadableSpan, ReadableSpan]:
    """The span of the caller, and that of the service that was asked in the end."""
    return telemetry.span(kind=SpanKind.CLIENT), telemetry.span(kind=SpanKind.SERVER)


def kept(seen: Seen, client: ReadableSpan) -> None:
    """Trace, saga, our member of tracestate and everybody else's have come through."""
    assert seen.span.trace_id == client.context.trace_id == TRACE_ID
    assert seen.baggage == {"saga.id": "ORD-1", "saga.name": "order"}
    members = dict(member.split("=", 1) for member in seen.headers["tracestate"].split(","))
    assert members["otelkit"] == f"c:shop;p:{client.context.span_id:016x}"
    assert members["vendor"] == "kept"


def spans_between(sink: Sink, count: int) -> dict[int, tuple[int, str]]:
    """Parent and kind by span id, of the spans that others have made."""
    sink.wait_for(lambda: len(sink.spans()) >= count)
    return {
        int.from_bytes(span.span_id): (int.from_bytes(span.parent_span_id), str(span.kind))
        for span in sink.spans()
    }


def path(span: ReadableSpan, between: dict[int, tuple[int, str]], client: ReadableSpan) -> int:
    """How many spans of others stand between the two."""
    assert span.parent is not None
    steps, parent = 0, span.parent.span_id
    while parent != client.context.span_id:
        steps, parent = steps + 1, between[parent][0]
    return steps


async def test_a_proxy_without_a_tracer_is_a_wire(telemetry: Telemetry, tmp_path: Path) -> None:
    """Both ends know each other, through Envoy."""
    async with FastApi() as server:
        with envoy.proxy(tmp_path, server.port) as address:
            await order(address)

    client, served = ends(telemetry)
    assert served.parent is not None
    assert served.parent.span_id == client.context.span_id
    kept(server.seen[0], client)
    assert (client.attributes or {})[names.PEER_NAME] == "shop"
    assert telemetry.count(names.HOP_DURATION, side="server", client="shop") == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="continued") == 1


async def test_a_proxy_that_makes_spans_is_no_wrong_client(
    telemetry: Telemetry, sink: Sink, tmp_path: Path
) -> None:
    """Behind Envoy's spans the trace and the saga go on; the client is unknown, not the caller."""
    async with FastApi() as server:
        with envoy.proxy(tmp_path, server.port, spans_to=sink.port) as address:
            await order(address)
            between = spans_between(sink, 2)

    client, served = ends(telemetry)
    assert path(served, between, client) == 2
    kept(server.seen[0], client)
    assert telemetry.count(names.HOP_DURATION, side="server", client="unknown") == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="stale") == 1


async def test_a_service_in_another_language_passes_all_on(
    telemetry: Telemetry, sink: Sink, tmp_path: Path
) -> None:
    """Through a Node.js service with stock OpenTelemetry trace, saga and tracestate come on."""
    async with FastApi() as server:
        last = f"127.0.0.1:{server.port}"
        with node.service(tmp_path, to=last, spans_to=sink.url) as address:
            await order(address)
            between = spans_between(sink, 2)

    client, served = ends(telemetry)
    assert path(served, between, client) == 2
    kept(server.seen[0], client)
    assert (client.attributes or {})[names.PEER_NAME] == address
    assert telemetry.count(names.HOP_DURATION, side="server", client="unknown") == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="stale") == 1


async def test_a_proxy_and_a_service_of_another_language_in_a_row(
    telemetry: Telemetry, sink: Sink, tmp_path: Path
) -> None:
    """One unbroken trace of everybody's spans."""
    async with FastApi() as server:
        last = f"127.0.0.1:{server.port}"
        with (
            node.service(tmp_path / "node", to=last, spans_to=sink.url) as middle,
            envoy.proxy(tmp_path, int(middle.rpartition(":")[2]), spans_to=sink.port) as address,
        ):
            await order(address)
            between = spans_between(sink, 4)

    client, served = ends(telemetry)
    assert path(served, between, client) == 4
    kept(server.seen[0], client)
