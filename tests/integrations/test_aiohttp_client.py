"""What is peculiar to aiohttp's client: its headers, redirects, retries, errors, WebSockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict
from opentelemetry import baggage, context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.errors import classify
from otel_kit.testing import Telemetry, capture
from tests.contract.harness.peer import read_head
from tests.contract.patched import patched
from tests.integrations.aiohttp_app import serving

CLIENT = SpanKind.CLIENT
OURS = {"traceparent", "tracestate"}
Answer = Callable[[web.Request], web.StreamResponse]


class Peer:
    """A server that is not instrumented; remembers the requests that it got."""

    def __init__(self, answer: Answer = lambda _: web.Response(text="ok")) -> None:
        self.answer, self.seen = answer, list[web.Request]()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """The address of the server while it runs."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        async with serving(app) as port:
            yield f"http://127.0.0.1:{port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if request.path == "/ws":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str((await socket.receive()).data)
            await socket.close()
            return socket
        return self.answer(request)

    def headers(self) -> list[dict[str, str]]:
        """Those of each request, but ours and the host's."""
        return [{k: v for k, v in r.headers.items() if k.lower() not in OURS} for r in self.seen]


@asynccontextmanager
async def sockets(serve: Callable[[asyncio.StreamReader], Awaitable[bytes]]) -> AsyncIterator[str]:
    """A server that answers what `serve` says, nothing and it closes; at the end all is closed."""
    connections: list[Any] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while answer := await serve(reader):
                writer.write(answer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await asyncio.gather(*connections)


def attributes(telemetry: Telemetry) -> dict[str, Any]:
    return dict(telemetry.span(kind=CLIENT).attributes or {})


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, side="client", **labels)


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


@pytest.mark.parametrize("where", ["request", "session", "callable"])
async def test_a_status_that_is_raised_for_is_the_status(where: str) -> None:
    """`raise_for_status` raises its own error; status, class and server are the answer's."""
    timing = {"Server-Timing": 'otelkit;desc="billing";dur=1'}
    peer = Peer(lambda _: web.Response(status=503, headers=timing))

    async def refuse(response: aiohttp.ClientResponse) -> None:
        response.raise_for_status()

    options: Any = {"request": {}, "session": {"raise_for_status": True}, "callable": {}}
    asked: Any = {"request": True, "session": None, "callable": refuse}
    async with peer.running() as url, aiohttp.ClientSession(**options[where]) as session:
        with (
            capture(integrations=["aiohttp-client"]) as telemetry,
            pytest.raises(aiohttp.ClientResponseError, match="503"),
        ):
            await session.get(url, raise_for_status=asked[where])

    found = attributes(telemetry)
    assert (found[names.HTTP_RESPONSE_STATUS_CODE], found[names.ERROR_TYPE]) == (503, "503")
    assert hops(telemetry, error_class="unavailable", server="billing") == 1


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ("ServerTimeoutError", "timeout"),
        ("ConnectionTimeoutError", "timeout"),
        ("SocketTimeoutError", "timeout"),
        ("ClientConnectorError", "connection"),
        ("ClientConnectorDNSError", "dns"),
        ("ClientProxyConnectionError", "connection"),
        ("ClientHttpProxyError", "connection"),
        ("ClientOSError", "connection"),
        ("ServerDisconnectedError", "connection"),
        ("ClientPayloadError", "connection"),
        ("ClientConnectorSSLError", "tls"),
        ("ClientConnectorCertificateError", "tls"),
        ("ServerFingerprintMismatch", "tls"),
        ("TooManyRedirects", "server_error"),
        ("InvalidUrlRedirectClientError", "server_error"),
        ("NonHttpUrlRedirectClientError", "server_error"),
        ("InvalidURL", "client_error"),
        ("NonHttpUrlClientError", "client_error"),
        ("ContentTypeError", "serialization"),
        ("ClientError", "unknown"),
    ],
)
def test_the_librarys_exceptions_are_classed(error: str, error_class: str) -> None:
    """Each counts under a class that says what to look at."""
    if not hasattr(aiohttp, error):
        pytest.skip("a newer version's")
    kind = getattr(aiohttp, error)
    with capture(integrations=["aiohttp-client"]):
        assert classify(kind.__new__(kind)) == error_class


async def test_names_certificates_and_connections_are_told_apart() -> None:
    """A name that is not found, a failed handshake and a refused connection are three classes."""
    async with Peer().running() as url, aiohttp.ClientSession() as session:
        with capture(integrations=["aiohttp-client"]) as telemetry:
            wrong = ("http://no-such-host.invalid/", url.replace("http", "https"))
            for each in (*wrong, "http://127.0.0.1:1/"):
                with pytest.raises(aiohttp.ClientConnectorError):
                    await session.get(each)

    for error_class in ("dns", "tls", "connection"):
        assert hops(telemetry, error_class=error_class) == 1


async def test_endless_redirects_are_the_servers_error() -> None:
    """The library gives up, and the hop is one failed call."""
    peer = Peer(lambda _: web.Response(status=302, headers={"Location": "/"}))
    async with peer.running() as url, aiohttp.ClientSession() as session:
        with (
            capture(integrations=["aiohttp-client"]) as telemetry,
            pytest.raises(aiohttp.TooManyRedirects),
        ):
            await session.get(url)

    assert hops(telemetry, error_class="server_error") == 1
    assert names.HTTP_RESPONSE_STATUS_CODE not in attributes(telemetry)


async def test_an_answer_that_makes_no_sense_has_no_status() -> None:
    """aiohttp says 400 of what it cannot parse; no server has answered that."""

    async def nonsense(reader: asyncio.StreamReader) -> bytes:
        await read_head(reader)
        return b"nonsense\r\n\r\n"

    async with sockets(nonsense) as url, aiohttp.ClientSession() as session:
        with (
            capture(integrations=["aiohttp-client"]) as telemetry,
            pytest.raises(aiohttp.ClientResponseError) as caught,
        ):
            await session.get(url)

    assert caught.value.status == 400
    assert names.HTTP_RESPONSE_STATUS_CODE not in attributes(telemetry)
    assert hops(telemetry, error_class="unknown") == 1
    assert telemetry.span(kind=CLIENT).status.status_code is StatusCode.ERROR


async def test_what_is_no_address_is_the_librarys_to_refuse() -> None:
    """A call that cannot be a request fails as without the kit, and is no hop."""

    async def refusals(session: aiohttp.ClientSession) -> list[str]:
        found = []
        wrong: tuple[Any, ...] = ("/relative", "http://[::1", "ftp://there/", 5, "")
        for each in wrong:
            with pytest.raises(Exception) as refused:  # noqa: PT011 - whatever it is
                await session.get(each)
            found.append(repr(refused.value))
        return found

    async with aiohttp.ClientSession() as session:
        without = await refusals(session)
        with capture(integrations=["aiohttp-client"]) as telemetry:
            assert await refusals(session) == without

    assert telemetry.spans == []


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


async def test_a_refused_websocket_has_the_answers_status() -> None:
    """The library raises for a handshake that was answered otherwise; the hop is that answer."""
    peer = Peer(lambda _: web.Response(status=404))
    async with peer.running() as url, aiohttp.ClientSession() as session:
        with (
            capture(integrations=["aiohttp-client"]) as telemetry,
            pytest.raises(aiohttp.WSServerHandshakeError),
        ):
            await session.ws_connect(url)

    assert hops(telemetry, error_class="client_error") == hops(telemetry) == 1


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


def test_uninstall_restores_the_very_same_function() -> None:
    """After the kit is off, the class holds the object it held before."""
    before = patched("aiohttp.client:ClientSession._request")
    with capture(integrations=["aiohttp-client"]):
        assert patched("aiohttp.client:ClientSession._request") is not before

    assert patched("aiohttp.client:ClientSession._request") is before
