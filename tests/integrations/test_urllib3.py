"""What is peculiar to urllib3: managers and pools, retries, proxies, headers of every shape."""

import socket
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
import requests
import urllib3
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode
from urllib3 import HTTPConnectionPool, PoolManager, ProxyManager, Retry, exceptions
from urllib3._collections import HTTPHeaderDict

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.patched import patched
from tests.integrations.http_origin import origin

CLIENT = SpanKind.CLIENT
NOWHERE = "http://127.0.0.1:1/"
AT_ONCE = Retry(2, redirect=2, status_forcelist=[429, 503], backoff_factor=0)


def attributes(telemetry: Telemetry) -> dict[str, Any]:
    return dict(telemetry.span(kind=CLIENT).attributes or {})


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, **labels)


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


class Refusing(HTTPConnectionPool):
    """A pool that has no connection to give."""

    refusal: Exception

    def _get_conn(self, timeout: float | None = None) -> Any:
        raise self.refusal


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


def twice() -> HTTPHeaderDict:
    """Headers of the library's own type, one of them twice."""
    headers = HTTPHeaderDict({"Baggage": "a=1"})
    headers.add("baggage", "b=2")
    return headers


@pytest.mark.parametrize(
    ("given", "baggage"),
    [
        ({"Baggage": "a=1", "TraceParent": "stale"}, "a=1"),
        ({"Baggage": "a=1", "baggage": "b=2"}, "a=1,b=2"),
        ({b"Baggage": b"a=1", "x-own": b"\xe9"}, "a=1"),
        (MappingProxyType({"baggage": "a=1"}), "a=1"),
        (twice(), "a=1,b=2"),
        (HTTPHeaderDict({"baggage": b"a=1", "x-own": "1"}), "a=1"),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("way", [PoolManager.urlopen, HTTPConnectionPool.urlopen])
def test_headers_of_any_shape_stay_the_callers(given: Any, baggage: str, way: Any) -> None:
    """Ours go out once each, what was there is taken over, and the mapping is as it was."""
    before = list(given.items())
    with origin() as server, capture(integrations=["urllib3"]) as telemetry:
        asked = PoolManager() if way is PoolManager.urlopen else pool_of(server.port)
        with asked:
            asked.urlopen("GET", server.url, headers=given)

    (sent,) = server.headers
    assert list(given.items()) == before
    assert sent["baggage"].replace(" ", "") == baggage
    assert f"{telemetry.span().context.span_id:016x}" in sent["traceparent"]
    assert sent.get("x-own") in (None, "1", "\xe9")


def pool_of(port: int, **options: Any) -> HTTPConnectionPool:
    return HTTPConnectionPool("127.0.0.1", port, **options)


def test_default_headers_go_out_and_stay() -> None:
    """`headers=None` means the pool's own, and none at all the manager's; neither is changed."""
    own = {"x-own": "1"}
    with (
        origin() as server,
        capture(integrations=["urllib3"]) as telemetry,
        pool_of(server.port, headers=own) as pool,
        PoolManager(headers=own) as manager,
    ):
        pool.urlopen("GET", "/", headers=None)
        manager.urlopen("GET", server.url)
        manager.urlopen("GET", server.url, headers=None)
        assert pool.headers == manager.headers == own

    assert [sent.get("x-own") for sent in server.headers] == ["1", "1", None]
    spans = [f"{span.context.span_id:016x}" for span in telemetry.spans]
    assert spans == [sent["traceparent"].split("-")[2] for sent in server.headers]


def test_nothing_but_our_headers_is_different() -> None:
    """What goes out, and what comes back, is what it would be without the kit."""

    def ask() -> tuple[list[str], bytes, dict[str, str]]:
        with origin(lambda _: (200, {"x-answer": "1"})) as server, PoolManager() as manager:
            answer = manager.request("POST", f"{server.url}/a%20b?q=1#f", fields={"a": "1"})
        (sent,) = server.headers
        names = {*sent} - {"host", "content-type"}
        return sorted(names), answer.data, {"x-answer": answer.headers["x-answer"]}

    without = ask()
    with capture(integrations=["urllib3"]):
        within = ask()

    assert set(within[0]) - set(without[0]) == {"traceparent", "tracestate"}
    assert within[1:] == without[1:]


@pytest.mark.parametrize(
    ("host", "port", "target", "url", "server"),
    [
        ("there", None, "/a;v=1?token=secret#secret", "http://there/a;v=1", "there:80"),
        ("there", 8080, "//a", "http://there:8080//a", "there:8080"),
        ("::1", 8080, "/a", "http://[::1]:8080/a", "::1:8080"),
        ("there", 80, "http://user:secret@there/a?secret", "http://there/a", "there:80"),
        ("proxy", 3128, "https://user:secret@there:8443/a", "https://there:8443/a", "there:8443"),
        ("there", 80, "user:secret@there/a", "http://there", "there:80"),
    ],
)
def test_the_url_is_the_origins_and_has_no_secrets(
    host: str, port: int | None, target: str, url: str, server: str
) -> None:
    """Credentials, query and fragment are in no attribute, whatever form the target has."""
    refused = OSError("on purpose")
    with capture(integrations=["urllib3"]) as telemetry, Refusing(host, port) as pool:
        pool.refusal = refused
        with pytest.raises(exceptions.ProtocolError):
            pool.urlopen("GET", target, retries=False, assert_same_host=False)

    found = attributes(telemetry)
    assert found[names.URL_FULL] == url
    assert f"{found[names.SERVER_ADDRESS]}:{found[names.SERVER_PORT]}" == server
    assert "secret" not in str(found)
    assert hops(telemetry, server=server) == 1


def test_a_hop_goes_to_the_origin_not_to_the_proxy() -> None:
    """Through a forwarding proxy there is one hop, to whom it forwards."""
    with (
        origin() as proxy,
        capture(integrations=["urllib3"]) as telemetry,
        ProxyManager(proxy.url) as manager,
    ):
        manager.request("GET", "http://there:8080/a")

    assert proxy.targets == ["http://there:8080/a"]
    assert "traceparent" in proxy.headers[0]
    assert attributes(telemetry)[names.URL_FULL] == "http://there:8080/a"
    assert hops(telemetry, server="there:8080") == hops(telemetry) == 1


def test_a_stream_is_a_hop_until_its_headers() -> None:
    """With `preload_content=False` the hop has ended before anything of the body is read."""
    with (
        origin() as server,
        capture(integrations=["urllib3"]) as telemetry,
        PoolManager() as manager,
    ):
        answer = manager.request("GET", server.url, preload_content=False)
        assert telemetry.span(kind=CLIENT).end_time is not None
        assert b"".join(answer.stream()) == b"body"
        answer.release_conn()

    assert len(telemetry.spans) == 1


def test_a_body_that_is_fetched_meanwhile_is_a_hop_of_its_own() -> None:
    """What a body's generator asks of another server is a child of the hop it is in."""
    with origin() as source, origin() as server, PoolManager() as manager:

        def body() -> Iterator[bytes]:
            yield manager.request("GET", source.url).data

        with capture(integrations=["urllib3"]) as telemetry:
            manager.request("POST", server.url, body=body(), headers={"content-length": "4"})

    inner, outer = telemetry.spans
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


SETTINGS: list[dict[str, Any]] = [
    {"integrations": ["requests", "urllib3"]},
    {"integrations": ["requests"]},
    {"integrations": ["urllib3"]},
    {"disabled_integrations": ["requests"]},
    {"disabled_integrations": ["urllib3"]},
    {"integrations": ["requests", "urllib3"], "propagators": ["none"]},
    {"integrations": ["requests", "urllib3"], "propagators": ["baggage"]},
    {"integrations": ["requests", "urllib3"], "prefer": "contrib"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("path", ["/", "/redirects"])
def test_requests_is_one_hop_whatever_is_switched_off(settings: dict[str, Any], path: str) -> None:
    """Under requests there is no second hop, and without its integration there is urllib3's."""
    answers = {"/redirects": (302, {"location": "/"})}
    with (
        origin(lambda path: answers.get(path, (200, {}))) as server,
        capture(**settings) as telemetry,
        requests.Session() as session,
    ):
        session.trust_env = False
        session.get(f"{server.url}{path}")

    # Below requests, a redirect is a call of its own.
    alone = "requests" not in settings.get("integrations", ["requests"])
    alone = alone or "requests" in settings.get("disabled_integrations", ())
    expected = 2 if path == "/redirects" and alone else 1
    assert len(telemetry.matching(kind=CLIENT)) == hops(telemetry) == expected


@pytest.mark.parametrize("propagators", ["none", "baggage", "tracecontext"])
def test_a_call_is_one_hop_whatever_is_sent(propagators: str) -> None:
    """Redirects and retries make no second hop where no header could tell them."""
    answers = iter([(302, {"location": "/on"}), (503, {})])
    with (
        origin(lambda _: next(answers, (200, {}))) as server,
        capture(integrations=["urllib3"], propagators=[propagators]) as telemetry,
        PoolManager() as manager,
    ):
        manager.request("GET", server.url, retries=AT_ONCE)

    assert len(server.targets) == 3
    assert len(telemetry.spans) == hops(telemetry) == 1


def test_below_contribs_requests_there_is_no_hop_of_ours() -> None:
    """An instrumentation that has made the HTTP span asks those below it for none."""
    instrumentor = RequestsInstrumentor()
    with origin() as server, capture(integrations=["requests", "urllib3"]) as telemetry:
        instrumentor.instrument(tracer_provider=telemetry.tracer_provider)
        try:
            requests.get(server.url, timeout=5)
        finally:
            instrumentor.uninstrument()

    scope = telemetry.span(kind=CLIENT).instrumentation_scope
    assert scope is not None
    assert scope.name == "opentelemetry.instrumentation.requests"
    assert hops(telemetry) == 1


def test_a_pool_as_aws_clients_use_it_is_a_hop() -> None:
    """A pool that is asked with everything switched off, as botocore does, is seen all the same."""
    with (
        origin() as server,
        capture(integrations=["urllib3"]) as telemetry,
        PoolManager(maxsize=10) as manager,
    ):
        answer = manager.connection_from_url(server.url).urlopen(
            method="GET",
            url="/bucket?list",
            body=None,
            headers={"Authorization": "signed"},
            retries=Retry(False),
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            chunked=False,
        )
        assert answer.read() == b"body"
        answer.release_conn()

    assert attributes(telemetry)[names.URL_FULL] == f"{server.url}/bucket"
    assert server.headers[0]["authorization"] == "signed"
    assert "traceparent" in server.headers[0]


def test_what_is_no_request_is_the_librarys_to_refuse() -> None:
    """Wrong URLs and headers fail as without the kit, and are no hops."""
    wrong: list[tuple[Any, Any]] = [
        ("http://there:port/", {}),
        ("http:///path", {}),
        ("ftp://there/", {}),
        (b"http://there/", {}),
        (None, {}),
        (NOWHERE, [("a", "b")]),
        (NOWHERE, 7),
    ]

    def refusals() -> list[str]:
        found = []
        with PoolManager() as manager:
            for url, headers in wrong:
                with pytest.raises(Exception) as refused:  # noqa: PT011 - whatever it is
                    manager.urlopen("GET", url, headers=headers)
                found.append(repr(refused.value))
        return found

    without = refusals()
    with capture(integrations=["urllib3"]) as telemetry:
        assert refusals() == without

    assert telemetry.spans == []


def test_an_exporters_own_requests_make_no_hops() -> None:
    """Exporters send with instrumentation suppressed: no span, no header."""
    with (
        origin() as server,
        capture(integrations=["urllib3"]) as telemetry,
        suppress_instrumentation(),
        PoolManager() as manager,
    ):
        manager.request("POST", f"{server.url}/v1/traces")

    assert telemetry.spans == []
    assert "traceparent" not in server.headers[0]


def test_uninstall_restores_the_very_same_functions() -> None:
    """After the kit is off, the classes hold the objects they held before."""
    targets = ("urllib3:PoolManager.urlopen", "urllib3:HTTPConnectionPool.urlopen")
    before = [patched(target) for target in targets]
    with capture(integrations=["urllib3"]):
        assert all(patched(t) is not old for t, old in zip(targets, before, strict=True))

    assert [patched(target) for target in targets] == before
    assert urllib3.PoolManager.urlopen is before[0]
