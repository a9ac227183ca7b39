"""
aiohttp's client: `ClientSession._request`.

Every way to make a request ends there: `session.get`, awaited or as a context manager, and
`aiohttp.request`.  One call of it is one hop, with its redirects, its retry of a connection that
was closed, and the client's middlewares in it.  The headers go into a list of ours, in the place of
the caller's, which may be sent several times at once.

The hop ends with the answer's headers: how long it is read, and whether that fails, is not
measured, as nobody need ever close it.  Server-sent events are read as they come: their hop lasts
until the connection is given back, and counts those that arrived.

So a WebSocket (`ws_connect`) is its handshake: it counts for the pair of services, and is no HTTP
request of the conventions' metric, as on its server.
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
from otel_kit.integrations._http_client import Reading
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
    if (reading := Reading.of(hop, response.headers)) is not None:
        _watched(hop, reading, response)


class _Content(aiohttp.StreamReader):
    """An answer's body, as the hop sees it arrive."""

    __slots__ = ()

    def feed_data(self, data: bytes, *args: Any, **kwargs: Any) -> Any:
        if (reading := _READ.get(id(self))) is not None:
            reading.part(data)
        return super().feed_data(data, *args, **kwargs)


_READ: dict[int, Reading] = {}


def _watched(hop: ActiveHop, reading: Reading, response: aiohttp.ClientResponse) -> None:
    """The parser has the body's reader already, which has no place for ours, and may have begun."""
    content: Any = response.content
    for part in getattr(content, "_buffer", ()):
        reading.part(part)
    if response.connection is None or type(content) is not aiohttp.StreamReader:
        return  # all of it is there, or nothing

    def released() -> None:
        _READ.pop(id(content), None)
        error = content.exception()
        # This very class says that the application has closed it.
        reading.end(None if type(error) is aiohttp.ClientConnectionError else error)

    content.__class__ = _Content
    _READ[id(content)] = reading
    response.connection.add_callback(released)
    hop.defer()


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
