"""What is peculiar to urllib3: managers and pools, proxies, headers of every shape."""

from types import MappingProxyType
from typing import Any

import pytest
from urllib3 import HTTPConnectionPool, PoolManager, ProxyManager, Retry, exceptions
from urllib3._collections import HTTPHeaderDict

from otel_kit import names
from otel_kit.testing import capture
from tests.integrations.http_origin import origin
from tests.integrations.urllib3_calls import CLIENT, Refusing, attributes, hops

NOWHERE = "http://127.0.0.1:1/"


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
