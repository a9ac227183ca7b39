"""How aiohttp's client fails: statuses that are raised for, exceptions, what makes no sense."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.errors import classify
from otel_kit.testing import capture
from otel_kit.testing.contract.http_peer import read_head
from tests.integrations.aiohttp_peer import Peer, attributes, hops, sockets

CLIENT = SpanKind.CLIENT
OURS = {"traceparent", "tracestate"}


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
