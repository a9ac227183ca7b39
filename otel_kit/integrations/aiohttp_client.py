"""
aiohttp's client: `ClientSession._request`.

Every way to make a request ends there: `session.get`, awaited or as a context manager, and
`aiohttp.request`.  One call of it is one hop, with its redirects, its retry of a connection that
was closed, and the client's middlewares in it.  The headers go into a list of ours, in the place of
the caller's, which may be sent several times at once.

The hop ends with the answer's headers: how long it is read, and whether that fails, is not
measured, as nobody need ever close it.  So a WebSocket (`ws_connect`) is its handshake: it counts
for the pair of services, and is no HTTP request of the conventions' metric, as on its server.
"""

from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops import ActiveHop, Hop, http_request
from otel_kit.hops.carriers import Headers
from otel_kit.hops.propagation import BAGGAGE
from otel_kit.integrations._aiohttp import SUPPORTS, upgraded
from otel_kit.integrations._shape import Call, Integration

_NEWER = {
    "ClientConnectorDNSError": ErrorClass.DNS,
    "InvalidUrlRedirectClientError": ErrorClass.SERVER_ERROR,
    "NonHttpUrlClientError": ErrorClass.CLIENT_ERROR,
    "NonHttpUrlRedirectClientError": ErrorClass.SERVER_ERROR,
}
"""Exceptions that not every supported version has."""

integration = Integration(
    "aiohttp-client",
    supports=SUPPORTS,
    contrib=("opentelemetry.instrumentation.aiohttp_client:AioHttpClientInstrumentor",),
    errors={
        aiohttp.ServerTimeoutError: ErrorClass.TIMEOUT,
        aiohttp.ClientConnectionError: ErrorClass.CONNECTION,
        aiohttp.ClientHttpProxyError: ErrorClass.CONNECTION,
        aiohttp.ClientPayloadError: ErrorClass.CONNECTION,
        aiohttp.ClientSSLError: ErrorClass.TLS,
        aiohttp.ServerFingerprintMismatch: ErrorClass.TLS,
        aiohttp.TooManyRedirects: ErrorClass.SERVER_ERROR,
        aiohttp.InvalidURL: ErrorClass.CLIENT_ERROR,
        aiohttp.ContentTypeError: ErrorClass.SERIALIZATION,
        **{getattr(aiohttp, name): _NEWER[name] for name in _NEWER if hasattr(aiohttp, name)},
    },
)


def answered(hop: ActiveHop, response: aiohttp.ClientResponse) -> None:
    _answer(hop, response.status, response.headers, response.url)


def failed(hop: ActiveHop, error: Exception) -> None:
    """`raise_for_status`; what has a cause, or is a proxy's, tells no status of the server's."""
    if isinstance(error, aiohttp.ClientHttpProxyError) or error.__cause__ is not None:
        return
    if isinstance(error, aiohttp.ClientResponseError) and error.status:
        _answer(hop, error.status, error.headers or CIMultiDict(), error.request_info.url)


def _answer(hop: ActiveHop, status: int, headers: Any, url: URL) -> None:
    hop.status(status)
    hop.answered(",".join(headers.getall(names.SERVER_TIMING, ())), f"{url.host}:{url.port}")


@integration.calls("aiohttp.client:ClientSession._request", answered=answered, failed=failed)
def request(call: Call) -> Hop | None:
    url, method = _url(call), call["method"]
    if url is None or not isinstance(method, str):
        return None  # the library's to refuse
    headers = _headers(call)
    sent = call["headers"] = list(headers.items())
    hop = http_request(
        method.upper(),
        carrier=Headers(sent),
        scheme=url.scheme,
        host=url.host,
        port=url.port,
        url=f"{url.origin()}{url.raw_path}",
    )
    return upgraded(hop, headers.get("Upgrade", ""))


def _url(call: Call) -> URL | None:
    try:
        url: URL = call.instance._build_url(call["str_or_url"])
    except (AssertionError, TypeError, ValueError):
        return None
    return url if url.host and url.scheme in ("http", "https", "ws", "wss") else None


def _headers(call: Call) -> "CIMultiDict[str]":
    """The call's headers, and the session's baggage, which ours would replace."""
    headers = CIMultiDict(call["headers"] or ())
    if BAGGAGE not in headers:
        headers.extend((BAGGAGE, each) for each in call.instance.headers.getall(BAGGAGE, ()))
    return headers
