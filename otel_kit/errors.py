"""One small vocabulary of error classes over all transports, and who belongs to which.

A class says what an operator does next: look at the network (`connection`, `dns`, `tls`), at the
load (`timeout`, `throttled`, `unavailable`, `breaker_open`), at the caller (`client_error`), at the
callee (`server_error`), at the data (`serialization`), or at nothing (`business`, `cancelled`).
"""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent import futures
from enum import StrEnum
from typing import Any


class ErrorClass(StrEnum):
    """Why a hop failed.  A hop that succeeded has none."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    DNS = "dns"
    TLS = "tls"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    BREAKER_OPEN = "breaker_open"
    CANCELLED = "cancelled"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    SERIALIZATION = "serialization"
    BUSINESS = "business"
    UNKNOWN = "unknown"


Reader = Callable[[Any], ErrorClass | None]
"""Reads the class of an exception from what is in it; None if its type has to decide."""

_CLASSES: dict[type[BaseException], ErrorClass | Reader] = {
    TimeoutError: ErrorClass.TIMEOUT,
    ConnectionError: ErrorClass.CONNECTION,
    socket.gaierror: ErrorClass.DNS,
    socket.herror: ErrorClass.DNS,
    ssl.SSLError: ErrorClass.TLS,
    asyncio.CancelledError: ErrorClass.CANCELLED,
    futures.CancelledError: ErrorClass.CANCELLED,
    KeyboardInterrupt: ErrorClass.CANCELLED,
    SystemExit: ErrorClass.CANCELLED,
    GeneratorExit: ErrorClass.CANCELLED,
    json.JSONDecodeError: ErrorClass.SERIALIZATION,
    UnicodeError: ErrorClass.SERIALIZATION,
}
_CAUSES = frozenset({ErrorClass.DNS, ErrorClass.TLS})
_CAUSES_FOLLOWED = 5
_HTTP = {
    408: ErrorClass.TIMEOUT,
    429: ErrorClass.THROTTLED,
    502: ErrorClass.UNAVAILABLE,
    503: ErrorClass.UNAVAILABLE,
    504: ErrorClass.TIMEOUT,
}


def classify_as(error_class: ErrorClass, *types: type[BaseException]) -> None:
    """Say how exceptions of these types, and of their subclasses, are classed.

    The nearest class in an exception's method resolution order decides, the latest word wins:

        otel_kit.classify_as(otel_kit.ErrorClass.BUSINESS, OutOfStock, CardDeclined)
    """
    classify_by(ErrorClass(error_class), *types)


def classify_by(how: ErrorClass | Reader, *types: type[BaseException]) -> None:
    """The same for exceptions whose class may stand in them: a reader must not raise."""
    for exception_type in types:
        _CLASSES[exception_type] = how


def classify(error: BaseException, default: ErrorClass = ErrorClass.UNKNOWN) -> ErrorClass:
    """The class of an exception: by its type, or by a more telling cause behind a wrapper.

    Client libraries wrap a failed name look-up or TLS handshake in a general connection error;
    the operator wants to know which it was, so `dns` and `tls` are taken from up to five causes.
    """
    found = _by_type(type(error), error)
    if found is None or found is ErrorClass.CONNECTION:
        for cause in _causes(error):
            deeper = _by_type(type(cause), cause)
            if deeper in _CAUSES:
                return deeper
    return found or default


def classify_name(name: str) -> ErrorClass | None:
    """The class of an exception of which only the name is known: `ConnectError`, `httpx.ReadError`.

    None for names that are no known exception's.  Spans of other instrumentations have just names.
    """
    short = name.rpartition(".")[2]
    waiting, seen = list(_CLASSES), set(_CLASSES)
    while waiting:
        candidate = waiting.pop()
        if candidate.__name__ == short and f"{candidate.__module__}.{short}".endswith(name):
            return _by_type(candidate)
        fresh = set(type.__subclasses__(candidate)) - seen
        seen |= fresh
        waiting += fresh
    return None


def classify_http(status: int) -> ErrorClass | None:
    """The class of an HTTP response status (RFC 9110), None below 400."""
    if status < 400:
        return None
    return _HTTP.get(status) or (
        ErrorClass.SERVER_ERROR if status >= 500 else ErrorClass.CLIENT_ERROR
    )


def _by_type(
    error_type: type[BaseException], error: BaseException | None = None
) -> ErrorClass | None:
    for ancestor in error_type.__mro__:
        found = _CLASSES.get(ancestor)
        if found is not None and not isinstance(found, ErrorClass):
            found = None if error is None else found(error)
        if found is not None:
            return found
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    for _ in range(_CAUSES_FOLLOWED):
        cause = error.__cause__ or error.__context__
        if cause is None:
            return
        yield cause
        error = cause
