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

from collections.abc import Iterator
from typing import Any

import requests
import wrapt
from requests import exceptions
from urllib3 import exceptions as urllib3_errors

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops import ActiveHop, Hop
from otel_kit.hops.carriers import Mapped
from otel_kit.integrations._http_client import Reading, address, asked, copied
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


def answered(hop: ActiveHop, response: requests.Response) -> None:
    hop.status(response.status_code)
    if (timing := response.headers.get(names.SERVER_TIMING)) is not None:
        hop.answered(timing, address(response.url))
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
    if prepared.url[:4].lower() != "http":
        return None  # an adapter for files, say
    sent = call["request"] = copied(prepared)
    return asked(sent.method or "GET", prepared.url, Mapped(sent.headers))
