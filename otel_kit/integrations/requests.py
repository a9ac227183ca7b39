"""
requests: `Session.send`.

Every way to make a request ends there, whatever the adapter.  One call of it is one hop, with the
redirects and the authentication round trips in it, whose own calls make none.  The headers go into
a copy of the `PreparedRequest`, which the caller may have made, and may send again: it is the copy
that hooks see, and that `response.request` is.

A streamed response's hop (`stream=True`) ends with its headers: how long it is read, and whether
that fails, is not measured, as nobody need ever close it.  Server-sent events are read as they
come: their hop lasts as long, and counts them.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
import wrapt
from requests import exceptions
from urllib3 import exceptions as urllib3_errors

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops import ActiveHop, Hop, http_request
from otel_kit.integrations._http_client import Reading, copied, port
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "requests",
    supports="requests>=2.26,<3",
    contrib=("opentelemetry.instrumentation.requests:RequestsInstrumentor",),
    errors={
        exceptions.Timeout: ErrorClass.TIMEOUT,
        exceptions.ConnectTimeout: ErrorClass.TIMEOUT,  # a ConnectionError as well
        exceptions.ConnectionError: ErrorClass.CONNECTION,
        exceptions.SSLError: ErrorClass.TLS,
        exceptions.ChunkedEncodingError: ErrorClass.CONNECTION,
        exceptions.ContentDecodingError: ErrorClass.SERIALIZATION,
        exceptions.InvalidJSONError: ErrorClass.SERIALIZATION,
        exceptions.TooManyRedirects: ErrorClass.SERVER_ERROR,
        exceptions.RetryError: ErrorClass.SERVER_ERROR,
        exceptions.InvalidSchema: ErrorClass.CLIENT_ERROR,
        exceptions.InvalidURL: ErrorClass.CLIENT_ERROR,
        exceptions.UnrewindableBodyError: ErrorClass.CLIENT_ERROR,
        # What ends an event stream, before requests makes one of its own of it.
        urllib3_errors.ProtocolError: ErrorClass.CONNECTION,
        urllib3_errors.ReadTimeoutError: ErrorClass.TIMEOUT,
        urllib3_errors.SSLError: ErrorClass.TLS,
    },
)


class TextHeaders(MutableMapping[str, str]):
    """A request's headers as text; an application may have set some of them as bytes."""

    def __init__(self, headers: MutableMapping[str, Any]) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        value = self._headers[name]
        return value.decode("latin-1") if isinstance(value, bytes) else value

    def __setitem__(self, name: str, value: str) -> None:
        self._headers[name] = value

    def __delitem__(self, name: str) -> None:
        del self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)


def answered(hop: ActiveHop, response: requests.Response) -> None:
    hop.status(response.status_code)
    if (timing := response.headers.get(names.SERVER_TIMING)) is not None:
        url = _split(response.url)
        hop.answered(timing, f"{url.hostname}:{port(url)}")
    if (reading := Reading.of(hop, response.headers)) is None:
        return
    if response._content_consumed:
        reading.whole(response.content)
    elif response.raw is not None:
        response.raw = _Raw(response.raw, reading)
        hop.defer()


class _Raw(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """urllib3's response, as the hop sees it being read."""

    def __init__(self, raw: Any, reading: Reading) -> None:
        super().__init__(raw)
        self._self_reading = reading

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        return self._self_reading.parts(self.__wrapped__.stream(*args, **kwargs))

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        return self._self_reading.part(self.__wrapped__.read(*args, **kwargs))

    def close(self) -> None:
        try:
            self.__wrapped__.close()
        finally:
            self._self_reading.end()


def failed(hop: ActiveHop, error: Exception) -> None:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        answered(hop, error.response)  # a hook calls `raise_for_status`


@integration.calls("requests:Session.send", answered=answered, failed=failed)
def request(call: Call) -> Hop | None:
    prepared = call["request"]
    if not isinstance(prepared, requests.PreparedRequest) or prepared.url is None:
        return None  # the library's to refuse
    url = _split(prepared.url)
    if not url.scheme.startswith("http"):
        return None  # an adapter for files, say
    sent = call["request"] = copied(prepared)
    return http_request(
        sent.method or "GET",
        carrier=TextHeaders(sent.headers),
        scheme=url.scheme,
        host=url.hostname,
        port=port(url),
        url=f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}",
    )


def _split(url: str) -> SplitResult:
    return urlsplit(url, "", True)  # as requests has done it: urllib remembers the answer
