"""The vocabulary of error classes."""

import asyncio
import json
import socket
import ssl

import httpx
import pytest

from otel_kit.errors import ErrorClass, classify, classify_as, classify_by, classify_http
from otel_kit.hops.rpc import GRPC


class Declined(Exception):
    """An application's own exception."""


class DeclinedTwice(Declined):
    """A special case of it."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), ErrorClass.TIMEOUT),
        (ConnectionRefusedError(), ErrorClass.CONNECTION),
        (socket.gaierror(), ErrorClass.DNS),
        (ssl.SSLCertVerificationError(), ErrorClass.TLS),
        (asyncio.CancelledError(), ErrorClass.CANCELLED),
        (json.JSONDecodeError("no", "", 0), ErrorClass.SERIALIZATION),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "no"), ErrorClass.SERIALIZATION),
        (ValueError(), ErrorClass.UNKNOWN),
    ],
)
def test_builtin_exceptions_are_classed(error: BaseException, expected: ErrorClass) -> None:
    """What Python itself raises has its class."""
    assert expected is classify(error)


def test_an_application_says_how_its_exceptions_are_classed() -> None:
    """Subclasses follow, and the latest word wins."""
    classify_as(ErrorClass.BUSINESS, Declined)
    assert ErrorClass.BUSINESS is classify(DeclinedTwice())

    classify_as(ErrorClass.THROTTLED, DeclinedTwice)
    assert [
        classify(Declined()),
        classify(DeclinedTwice()),
    ] == [ErrorClass.BUSINESS, ErrorClass.THROTTLED]


def test_the_default_is_for_exceptions_nobody_classed() -> None:
    """A handler's unknown exception is a server error, a call's is unknown."""
    assert ErrorClass.SERVER_ERROR is classify(ValueError(), ErrorClass.SERVER_ERROR)


def test_a_reader_tells_the_class_of_one_exception() -> None:
    """It stands for its type and subclasses, gives way to none, and the latest word wins."""

    class Wrapped(ConnectionError):
        pass

    class Rewrapped(Wrapped):
        pass

    classify_by(lambda error: error.args[0], Wrapped)
    given = (Wrapped(ErrorClass.TIMEOUT), Rewrapped(ErrorClass.TLS), Wrapped(None))
    assert [*map(classify, given)] == [ErrorClass.TIMEOUT, ErrorClass.TLS, ErrorClass.CONNECTION]

    classify_as(ErrorClass.BUSINESS, Wrapped)
    assert classify(given[0]) is ErrorClass.BUSINESS


def test_a_failed_name_lookup_is_told_from_a_refused_connection() -> None:
    """The cause behind a client library's general connection error decides."""
    from otel_kit.integrations.httpx import integration

    integration.install()()
    with pytest.raises(httpx.ConnectError) as looked_up, httpx.Client(trust_env=False) as client:
        client.get("http://no-such-host.invalid/")
    with pytest.raises(httpx.ConnectError) as refused, httpx.Client(trust_env=False) as client:
        client.get("http://127.0.0.1:1/")

    assert ErrorClass.DNS is classify(looked_up.value)
    assert ErrorClass.CONNECTION is classify(refused.value)


def test_a_chain_of_causes_that_never_ends_is_left() -> None:
    """Exceptions may form a loop; classification ends all the same."""
    error = ConnectionError()
    error.__cause__ = error

    assert ErrorClass.CONNECTION is classify(error)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, None),
        (302, None),
        (404, ErrorClass.CLIENT_ERROR),
        (408, ErrorClass.TIMEOUT),
        (429, ErrorClass.THROTTLED),
        (500, ErrorClass.SERVER_ERROR),
        (503, ErrorClass.UNAVAILABLE),
        (504, ErrorClass.TIMEOUT),
    ],
)
def test_http_statuses_are_classed(status: int, expected: ErrorClass | None) -> None:
    """Client errors, server errors, and those that say what to do next are apart."""
    assert expected is classify_http(status)


def test_every_grpc_status_but_ok_is_classed() -> None:
    """All names of grpc.StatusCode are known."""
    grpc = pytest.importorskip("grpc")

    assert {code.name for code in grpc.StatusCode} - {"OK"} == set(GRPC)
