"""urllib3's redirects and retries, and how they fail."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import StatusCode
from urllib3 import HTTPConnectionPool, PoolManager, Retry, exceptions

from otel_kit import names
from otel_kit.testing import capture
from tests.integrations.http_origin import origin
from tests.integrations.urllib3_calls import CLIENT, Refusing, attributes, hops

NOWHERE = "http://127.0.0.1:1/"
AT_ONCE = Retry(2, redirect=2, status_forcelist=[429, 503], backoff_factor=0)


def test_redirects_of_a_manager_are_one_hop() -> None:
    """It asks one pool after another; all requests have one context, and the last names itself."""
    named = {"Server-Timing": 'otelkit;desc="newer";dur=1'}
    with origin(lambda _: (200, named)) as new:

        def answer(path: str) -> tuple[int, dict[str, str]]:
            return 302, {"location": "/here" if path == "/" else f"{new.url}/there"}

        with (
            origin(answer) as old,
            capture(integrations=["urllib3"]) as telemetry,
            PoolManager() as manager,
        ):
            assert manager.request("GET", f"{old.url}/").data == b"body"
            manager.request("GET", f"{old.url}/", redirect=False)

    redirected, direct = telemetry.spans
    assert (old.targets, new.targets) == (["/", "/here", "/"], ["/there"])
    assert len({sent["traceparent"] for sent in (*old.headers[:2], *new.headers)}) == 1
    assert (redirected.attributes or {})[names.HTTP_RESPONSE_STATUS_CODE] == 200
    assert (redirected.attributes or {})[names.PEER_NAME] == "newer"
    assert (direct.attributes or {})[names.PEER_NAME] == old.address


def test_redirects_of_a_pool_are_one_hop() -> None:
    """A pool that calls itself makes no second hop."""
    answers = {"/": (303, {"location": "/on"})}
    with (
        origin(lambda path: answers.get(path, (200, {}))) as server,
        capture(integrations=["urllib3"]) as telemetry,
        HTTPConnectionPool("127.0.0.1", server.port) as pool,
    ):
        pool.urlopen("POST", "/", body=b"1")

    assert server.targets == ["/", "/on"]
    assert len({sent["traceparent"] for sent in server.headers}) == 1
    assert attributes(telemetry)[names.HTTP_RESPONSE_STATUS_CODE] == 200


def test_retries_are_one_hop() -> None:
    """The library's own attempts are part of the call, and the status of the last one counts."""
    answers = iter([(503, dict[str, str]()), (429, {})])
    with (
        origin(lambda _: next(answers, (200, {}))) as server,
        capture(integrations=["urllib3"]) as telemetry,
        PoolManager(retries=AT_ONCE) as manager,
    ):
        assert manager.request("GET", server.url).status == 200

    assert len({sent["traceparent"] for sent in server.headers}) == 1
    assert len(server.headers) == 3
    assert telemetry.span(kind=CLIENT).status.status_code is StatusCode.UNSET
    assert names.SPAN_ERROR_CLASS not in attributes(telemetry)
    assert hops(telemetry) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_the_last_answer_of_exhausted_retries_says_why(status: int) -> None:
    """The status that was answered until nothing more was tried is the span's, and the class."""
    with (
        origin(lambda _: (status, {})) as server,
        capture(integrations=["urllib3"]) as telemetry,
        PoolManager(retries=AT_ONCE) as manager,
        pytest.raises(exceptions.MaxRetryError),
    ):
        manager.request("GET", server.url)

    assert attributes(telemetry)[names.HTTP_RESPONSE_STATUS_CODE] == status
    assert attributes(telemetry)[names.ERROR_TYPE] == str(status)
    error_class = {429: "throttled", 503: "unavailable"}[status]
    assert hops(telemetry, error_class=error_class, server=server.address) == 1


def test_endless_redirects_are_the_servers_error() -> None:
    """The library gives up, and the hop is one failed call."""
    with (
        origin(lambda _: (302, {"location": "/"})) as server,
        capture(integrations=["urllib3"]) as telemetry,
        PoolManager() as manager,
        pytest.raises(exceptions.MaxRetryError),
    ):
        manager.request("GET", server.url)

    assert hops(telemetry, error_class="server_error") == hops(telemetry) == 1


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a listener that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("retries", [False, Retry(1, backoff_factor=0)])
def test_failures_are_classed_by_what_failed(silent: str, retries: Any) -> None:
    """Behind `MaxRetryError` as without it: connection, dns, timeout and tls are told apart."""
    with origin() as server, capture(integrations=["urllib3"]) as telemetry:
        for url in (
            NOWHERE,
            "http://no-such-host.invalid/",
            f"http://{silent}/",
            f"https://{server.address}/",
        ):
            with PoolManager() as manager, pytest.raises(exceptions.HTTPError):
                manager.request("GET", url, retries=retries, timeout=0.2)

    points = telemetry.points(names.HOP_DURATION)
    found = [str(point.labels["error_class"]) for point in points]
    assert sorted(found) == ["connection", "dns", "timeout", "tls"]


ERRORS: list[tuple[Exception, str]] = [
    (exceptions.ConnectTimeoutError(), "timeout"),
    (exceptions.ReadTimeoutError(None, "/", "late"), "timeout"),  # type: ignore[arg-type]
    (exceptions.EmptyPoolError(None, "none left"), "timeout"),  # type: ignore[arg-type]
    (exceptions.NewConnectionError(None, "refused"), "connection"),  # type: ignore[arg-type]
    (exceptions.ProtocolError("aborted"), "connection"),
    (exceptions.ProxyError("refused", OSError()), "connection"),
    (exceptions.SSLError("expired"), "tls"),
    (exceptions.DecodeError("no gzip"), "serialization"),
    (exceptions.LocationParseError("a b"), "client_error"),
    (exceptions.ClosedPoolError(None, "closed"), "client_error"),  # type: ignore[arg-type]
    (RuntimeError("other"), "unknown"),
]


@pytest.mark.parametrize(("raised", "error_class"), ERRORS, ids=lambda e: type(e).__name__)
def test_the_librarys_exceptions_are_classed(raised: Exception, error_class: str) -> None:
    """The very exception arrives, and counts under a class that says what to look at."""
    with capture(integrations=["urllib3"]) as telemetry, Refusing("there") as pool:
        pool.refusal = raised
        with pytest.raises(type(raised)) as caught:
            pool.urlopen("GET", "/", retries=False)

    assert caught.value is raised
    assert hops(telemetry, error_class=error_class, server="there:80") == 1
    assert telemetry.span(kind=CLIENT).status.status_code is StatusCode.ERROR
