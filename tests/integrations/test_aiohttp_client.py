"""What is peculiar to aiohttp's client: its headers, redirects, retries, WebSockets."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict
from opentelemetry import baggage, context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing import capture
from otel_kit.testing.contract.http_peer import read_head
from tests.integrations.aiohttp_peer import Peer, attributes, hops, sockets

CLIENT = SpanKind.CLIENT
OURS = {"traceparent", "tracestate"}


async def test_a_request_may_be_awaited_or_entered() -> None:
    """Both ways give the types that they give without the kit, and are one hop each."""
    async with Peer().running() as url, aiohttp.ClientSession() as session:
        without = session.get(url)
        (await without).release()
        with capture(integrations=["aiohttp-client"]) as telemetry:
            within = session.get(url)
            answer = await within
            async with session.get(url) as entered, aiohttp.request("GET", url) as third:
                found = [await answer.text(), await entered.text(), await third.text()]

    assert type(within) is type(without)
    assert {type(answer), type(entered), type(third)} == {aiohttp.ClientResponse}
    assert found == ["ok"] * 3
    assert len(telemetry.spans) == 3


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"X-Own": "1"},
        [("X-Own", "1"), ("X-Own", "2")],
        CIMultiDict([("X-Own", "1"), ("x-own", "2"), ("Upgrade", "h2c")]),
        MultiDict([("X-Own", "1"), ("x-own", "2"), ("X-Session", "3")]),
        CIMultiDictProxy(CIMultiDict([("X-Own", "1"), ("X-Own", "2")])),
    ],
    ids=lambda given: type(given).__name__ + str(len(given or ())),
)
async def test_all_shapes_of_headers_go_out_as_they_are(given: Any) -> None:
    """Nothing but our headers is different, and what the caller passed is as it was."""
    peer, before = Peer(), repr(given)
    own = CIMultiDict([("X-Session", "1"), ("X-Session", "2")])
    async with peer.running() as url, aiohttp.ClientSession(headers=own) as session:
        (await session.get(url, headers=given)).release()
        with capture(integrations=["aiohttp-client"]):
            (await session.get(url, headers=given)).release()

    without, within = ([*request.headers.items()] for request in peer.seen)
    assert [pair for pair in within if pair[0] not in OURS] == without
    assert {name for name, _ in within} > OURS
    assert repr(given) == before


async def test_headers_may_be_sent_many_times_at_once() -> None:
    """Each of many requests with the same headers has a span of its own in them."""
    peer, headers = Peer(), CIMultiDict({"x-own": "1"})
    async with peer.running() as url, aiohttp.ClientSession() as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            for answer in await asyncio.gather(
                *(session.get(url, headers=headers) for _ in range(5))
            ):
                answer.release()

    sent = {request.headers["traceparent"].split("-")[2] for request in peer.seen}
    assert {f"{span.context.span_id:016x}" for span in telemetry.spans} == sent
    assert len(sent) == 5
    assert headers == {"x-own": "1"}


async def test_the_sessions_baggage_goes_out_beside_ours() -> None:
    """A `baggage` header that the session has for all its requests stays, on each of them."""
    peer, own = Peer(), {"baggage": "tenant=7"}
    async with peer.running() as url, aiohttp.ClientSession(headers=own) as session:
        with capture(integrations=["aiohttp-client"]):
            token = context.attach(baggage.set_baggage("saga.id", "order-17"))
            for given in ({}, {"baggage": "tenant=8"}):
                (await session.get(url, headers=given)).release()
            context.detach(token)

    sent = [set(request.headers["baggage"].split(",")) for request in peer.seen]
    assert sent == [{"saga.id=order-17", "tenant=7"}, {"saga.id=order-17", "tenant=8"}]
    assert dict(session.headers) == own


async def test_redirects_are_one_hop_of_the_last_answerer() -> None:
    """All of a redirected call is one span, and the name in its answer is the edge's server."""

    def answer(request: web.Request) -> web.Response:
        if request.path == "/old":
            return web.Response(status=302, headers={"Location": "/new"})
        timing = CIMultiDict([("Server-Timing", "db;dur=1")])
        timing.add("Server-Timing", 'otelkit;desc="newer";dur=1')
        return web.Response(headers=timing)

    peer = Peer(answer)
    async with peer.running() as url, aiohttp.ClientSession() as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            (await session.get(f"{url}/old")).release()

    assert len({request.headers["traceparent"] for request in peer.seen}) == 1
    assert [request.path for request in peer.seen] == ["/old", "/new"]
    assert attributes(telemetry)[names.HTTP_RESPONSE_STATUS_CODE] == 200
    assert hops(telemetry, server="newer") == 1


async def test_a_retried_connection_is_one_hop() -> None:
    """A request that aiohttp sends again, for a kept connection was closed, has one span."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader) -> bytes:
        seen.append((await read_head(reader))[1]["traceparent"])
        return b"" if len(seen) == 2 else b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    async with sockets(serve) as url, aiohttp.ClientSession() as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            (await session.get(url)).release()
            with contextlib.suppress(aiohttp.ServerDisconnectedError):  # older ones do not try
                (await session.get(url)).release()

    assert len(telemetry.spans) == 2
    assert len(set(seen)) == 2
    assert len(seen) == (3 if hasattr(session, "_retry_connection") else 2)


async def test_an_address_may_be_relative_to_the_sessions() -> None:
    """The hop's address is the whole one, credentials, query and fragment left out."""
    async with Peer().running() as url, aiohttp.ClientSession(url) as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            (await session.request("get", "/a/b?token=secret#secret")).release()
            there = url.replace("//", "//user:secret@")
            async with aiohttp.request("GET", f"{there}/a/b?token=secret"):
                pass

    for span in telemetry.matching(kind=CLIENT):
        found = dict(span.attributes or {})
        assert (span.name, found[names.URL_FULL]) == ("GET", f"{url}/a/b")
        assert found[names.SERVER_PORT] == int(url.rpartition(":")[2])
        assert "secret" not in str(found)


async def test_a_websocket_is_its_handshake() -> None:
    """It is one hop of the edge, and no HTTP request of the conventions' metric."""
    peer = Peer()
    async with peer.running() as url, aiohttp.ClientSession() as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            async with session.ws_connect(f"{url}/ws") as socket:
                assert telemetry.span(kind=CLIENT).end_time is not None
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"

    assert type(socket) is aiohttp.ClientWebSocketResponse
    assert attributes(telemetry)[names.HTTP_RESPONSE_STATUS_CODE] == 101
    assert f"{telemetry.span().context.span_id:016x}" in peer.seen[0].headers["traceparent"]
    assert hops(telemetry) == 1
    assert telemetry.points(names.HTTP_CLIENT_DURATION) == []


async def test_the_hop_ends_before_the_body() -> None:
    """With the headers of its answer, whatever becomes of the rest."""
    async with Peer().running() as url, aiohttp.ClientSession() as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            answer = await session.get(url)
            assert telemetry.span(kind=CLIENT).end_time is not None
            assert await answer.text() == "ok"

    assert len(telemetry.spans) == 1


async def test_a_call_that_a_trace_config_makes_is_a_hop_of_its_own() -> None:
    """A hook that asks somebody else, for a token say, makes a child of the hop it is in."""

    async def ask(session: aiohttp.ClientSession, *_: Any) -> None:
        async with aiohttp.request("GET", f"{url}/token"):
            pass

    hooks = aiohttp.TraceConfig()
    hooks.on_request_start.append(ask)
    async with Peer().running() as url, aiohttp.ClientSession(trace_configs=[hooks]) as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            (await session.get(url)).release()

    inner, outer = telemetry.spans
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


async def test_an_exporters_own_requests_make_no_hops() -> None:
    """Exporters send with instrumentation suppressed: no span, no header."""
    peer = Peer()
    async with peer.running() as url, aiohttp.ClientSession() as session:
        with capture(integrations=["aiohttp-client"]) as telemetry, suppress_instrumentation():
            (await session.post(url, data=b"spans")).release()

    assert telemetry.spans == []
    assert "traceparent" not in peer.seen[0].headers
