"""
httpx: `Client.send` and `AsyncClient.send`.

Every way to make a request ends there, whatever the transport.  One call of it is one hop, with
the redirects and the authentication round trips in it: that is what the application waited for.
The headers go into a copy of the `Request`, which the caller may have made, and may be sending
several times at once: it is the copy that event hooks see, and that `response.request` is.

A streamed response's hop (`client.stream`, `send(stream=True)`) ends with its headers: how long it
is read, and whether that fails, is not measured, as nobody need ever close it.  Server-sent events,
by httpx-sse or by hand, are read as they come: their hop lasts as long, and counts them.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops import ActiveHop, Hop, http_request
from otel_kit.integrations._http_client import Reading, copied, port
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "httpx",
    supports="httpx>=0.25,<1",
    contrib=("opentelemetry.instrumentation.httpx:HTTPXClientInstrumentor",),
    errors={
        httpx.TimeoutException: ErrorClass.TIMEOUT,
        httpx.NetworkError: ErrorClass.CONNECTION,
        httpx.RemoteProtocolError: ErrorClass.CONNECTION,
        httpx.LocalProtocolError: ErrorClass.CLIENT_ERROR,
        httpx.UnsupportedProtocol: ErrorClass.CLIENT_ERROR,
        httpx.TooManyRedirects: ErrorClass.SERVER_ERROR,
        httpx.DecodingError: ErrorClass.SERIALIZATION,
        httpx.ProxyError: ErrorClass.CONNECTION,
    },
)


def answered(hop: ActiveHop, response: httpx.Response) -> None:
    url = response.url
    hop.status(response.status_code)
    hop.answered(response.headers.get(names.SERVER_TIMING), f"{url.host}:{port(url)}")
    if (reading := Reading.of(hop, response.headers)) is None:
        return
    if response.is_stream_consumed:
        reading.whole(response.content)
        return
    sync = isinstance(response.stream, httpx.SyncByteStream)
    response.stream = (_Stream if sync else _AsyncStream)(response.stream, reading)
    hop.defer()


class _Stream(httpx.SyncByteStream):
    """A response's stream, as the hop sees it being read."""

    def __init__(self, stream: Any, reading: Reading) -> None:
        self._stream, self._reading = stream, reading

    def __iter__(self) -> Iterator[bytes]:
        return self._reading.parts(iter(self._stream))

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._reading.end()


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, stream: Any, reading: Reading) -> None:
        self._stream, self._reading = stream, reading

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._reading.aparts(aiter(self._stream))

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._reading.end()


def failed(hop: ActiveHop, error: Exception) -> None:
    if isinstance(error, httpx.HTTPStatusError):  # an event hook calls `raise_for_status`
        answered(hop, error.response)


@integration.calls("httpx:Client.send", "httpx:AsyncClient.send", answered=answered, failed=failed)
def request(call: Call) -> Hop:
    sent = call["request"] = copied(call["request"])
    url = sent.url
    return http_request(
        sent.method,
        carrier=sent.headers,
        scheme=url.scheme,
        host=url.host,
        port=port(url),
        url=_bare(url),
    )


def _bare(url: httpx.URL) -> str:
    """Without credentials, query and fragment; `copy_with` would parse it once more."""
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    return f"{url.scheme}://{url.netloc.decode('ascii')}{path}"
