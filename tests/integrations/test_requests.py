"""What is peculiar to requests: prepared requests, hooks, redirects, authentication, streams."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import requests
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3 import HTTPResponse

from otel_kit import names
from otel_kit.testing import Telemetry, capture

CLIENT = SpanKind.CLIENT
Answer = Callable[[requests.PreparedRequest], tuple[int, dict[str, str]]]


class Peer(HTTPAdapter):
    """Everything of requests but the network; remembers the headers that would go out."""

    def __init__(self, answer: Answer = lambda _: (200, {})) -> None:
        super().__init__()
        self.answer, self.sent = answer, list[dict[str, Any]]()

    def send(self, request: requests.PreparedRequest, *args: Any, **kw: Any) -> requests.Response:
        self.sent.append({name.lower(): value for name, value in request.headers.items()})
        status, headers = self.answer(request)
        body = HTTPResponse(io.BytesIO(b"body"), headers, status, preload_content=False)
        return self.build_response(request, body)


def session(adapter: BaseAdapter) -> requests.Session:
    """A session that reaches nothing but the adapter."""
    made = requests.Session()
    made.trust_env = False
    for prefix in ("http://", "https://", "file://"):
        made.mount(prefix, adapter)
    return made


def attributes(telemetry: Telemetry) -> dict[str, Any]:
    return dict(telemetry.span(kind=CLIENT).attributes or {})


def test_a_prepared_request_may_be_sent_again() -> None:
    """Each sending has a span of its own in its headers; the caller's request is as it was."""
    peer = Peer()
    prepared = requests.Request("POST", "http://there/", data="body").prepare()
    before = dict(prepared.headers)
    with capture(integrations=["requests"]) as telemetry:
        answers = [session(peer).send(prepared) for _ in range(2)]

    spans = [f"{span.context.span_id:016x}" for span in telemetry.spans]
    assert spans == [sent["traceparent"].split("-")[2] for sent in peer.sent]
    assert dict(prepared.headers) == before
    assert [answer.request.body for answer in answers] == ["body", "body"]


def test_what_a_subclass_of_a_prepared_request_has_is_sent_too() -> None:
    """The copy is of the caller's own class, with all that it has."""

    class Signed(requests.PreparedRequest):
        signature = "none"

    signed = Signed()
    signed.prepare("GET", "http://there/")
    signed.signature = "mine"
    with capture(integrations=["requests"]):
        sent = session(Peer()).send(signed).request

    assert isinstance(sent, Signed)
    assert sent.signature == "mine"


def test_nothing_but_our_headers_is_different() -> None:
    """What goes out, and what comes back, is what it would be without the kit."""

    peer = Peer(lambda _: (200, {"x-answer": "1", "set-cookie": "a=1"}))
    without = session(peer).get("http://there/?q=1", auth=("a", "b"))
    with capture(integrations=["requests"]):
        within = session(peer).get("http://there/?q=1", auth=("a", "b"))

    added = within.request.headers.keys() - without.request.headers.keys()
    assert added == {"traceparent", "tracestate"}
    assert within.headers == without.headers
    assert within.cookies == without.cookies
    assert (within.url, within.content) == (without.url, without.content)


@pytest.mark.parametrize("hops", [1, 3])
def test_redirects_are_one_hop(hops: int) -> None:
    """All of a redirected call is one span, and each of its requests has that one's context."""
    left = iter(range(hops))
    peer = Peer(lambda _: (302, {"location": "/on"}) if next(left, None) is not None else (200, {}))
    with capture(integrations=["requests"]) as telemetry:
        answer = session(peer).get("http://there/")

    assert len(answer.history) == hops
    assert telemetry.span(kind=CLIENT).name == "GET"
    assert len({sent["traceparent"] for sent in peer.sent}) == 1
    assert len(peer.sent) == hops + 1
    assert attributes(telemetry)[names.HTTP_RESPONSE_STATUS_CODE] == 200


def test_a_redirect_does_not_name_the_address_that_redirects() -> None:
    """The name in the last reply belongs to the address that sent it."""

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str]]:
        if request.url == "http://old/":
            return 302, {"location": "http://new/"}
        return 200, {"Server-Timing": 'otelkit;desc="newer";dur=1'}

    with capture(integrations=["requests"]) as telemetry:
        session(Peer(answer)).get("http://old/")
        session(Peer(answer)).get("http://old/", allow_redirects=False)

    servers = [(span.attributes or {})[names.PEER_NAME] for span in telemetry.spans]
    assert servers == ["newer", "old:80"]


def test_an_authentication_round_trip_is_one_hop() -> None:
    """The 401 that asks for a digest, and the request that has it, are one call."""

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str]]:
        asked = 'Digest realm="r", nonce="n", qop="auth"'
        known = "Authorization" in request.headers
        return (200, {}) if known else (401, {"www-authenticate": asked})

    peer = Peer(answer)
    with capture(integrations=["requests"]) as telemetry:
        session(peer).get("http://there/", auth=HTTPDigestAuth("user", "secret"))

    assert len(peer.sent) == 2
    assert attributes(telemetry)[names.HTTP_RESPONSE_STATUS_CODE] == 200
    assert telemetry.count(names.HOP_DURATION) == 1


def test_a_call_that_a_hook_makes_is_a_hop_of_its_own() -> None:
    """A hook that asks somebody else, for a token say, makes a child of the hop it is in."""
    tokens = Peer()

    def ask(response: requests.Response, **_: Any) -> None:
        session(tokens).get("http://tokens/")

    with capture(integrations=["requests"]) as telemetry:
        session(Peer()).get("http://there/", hooks={"response": ask})

    inner, outer = telemetry.spans
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


def test_a_status_that_a_hook_raises_for_is_the_status() -> None:
    """A response hook that calls `raise_for_status` leaves status and class what they are."""

    def refuse(response: requests.Response, **_: Any) -> None:
        response.raise_for_status()

    with capture(integrations=["requests"]) as telemetry, pytest.raises(requests.HTTPError):
        session(Peer(lambda _: (503, {}))).get("http://there/", hooks={"response": refuse})

    assert attributes(telemetry)[names.HTTP_RESPONSE_STATUS_CODE] == 503
    assert attributes(telemetry)[names.ERROR_TYPE] == "503"
    assert telemetry.count(names.HOP_DURATION, error_class="unavailable") == 1


def test_the_url_has_no_secrets() -> None:
    """Credentials, query and fragment are in no attribute."""
    with capture(integrations=["requests"]) as telemetry:
        session(Peer()).get("https://user:secret@there:8443/a/b;v=1?token=secret#secret")

    found = attributes(telemetry)
    assert found[names.URL_FULL] == "https://there:8443/a/b;v=1"
    assert (found[names.SERVER_ADDRESS], found[names.SERVER_PORT]) == ("there", 8443)
    assert "secret" not in str(found)


def test_a_stream_is_a_hop_until_its_headers() -> None:
    """With `stream=True` the hop has ended before anything of the body is read."""
    with capture(integrations=["requests"]) as telemetry:
        answer = session(Peer()).get("http://there/", stream=True)
        assert telemetry.span(kind=CLIENT).end_time is not None
        assert list(answer.iter_content()) == [b"b", b"o", b"d", b"y"]

    assert len(telemetry.spans) == 1


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (requests.ConnectTimeout, "timeout"),
        (requests.ReadTimeout, "timeout"),
        (requests.ConnectionError, "connection"),
        (requests.exceptions.ProxyError, "connection"),
        (requests.exceptions.ChunkedEncodingError, "connection"),
        (requests.exceptions.SSLError, "tls"),
        (requests.exceptions.ContentDecodingError, "serialization"),
        (requests.exceptions.RetryError, "server_error"),
        (requests.exceptions.InvalidURL, "client_error"),
        (RuntimeError, "unknown"),
    ],
)
def test_the_librarys_exceptions_are_classed(error: type[Exception], error_class: str) -> None:
    """The very exception arrives, and counts under a class that says what to look at."""
    raised = error("on purpose")

    def refuse(_: object) -> Any:
        raise raised

    with capture(integrations=["requests"]) as telemetry, pytest.raises(error) as caught:
        session(Peer(refuse)).get("http://there/")

    assert caught.value is raised
    assert telemetry.count(names.HOP_DURATION, error_class=error_class, server="there:80") == 1
    assert telemetry.span(kind=CLIENT).status.status_code is StatusCode.ERROR


def test_a_name_that_is_not_found_is_told_from_a_refused_connection() -> None:
    """The cause behind the library's general connection error decides."""
    with capture(integrations=["requests"]) as telemetry, requests.Session() as asking:
        asking.trust_env = False
        for host in ("no-such-host.invalid", "127.0.0.1:1"):
            with pytest.raises(requests.ConnectionError):
                asking.get(f"http://{host}/")

    assert telemetry.count(names.HOP_DURATION, error_class="dns") == 1
    assert telemetry.count(names.HOP_DURATION, error_class="connection") == 1


def test_endless_redirects_are_the_servers_error() -> None:
    """The library gives up, and the hop is one failed call."""
    peer = Peer(lambda _: (302, {"location": "/"}))
    with capture(integrations=["requests"]) as telemetry, pytest.raises(requests.TooManyRedirects):
        session(peer).get("http://there/")

    assert telemetry.count(names.HOP_DURATION, error_class="server_error") == 1
    assert len(telemetry.spans) == 1


def test_headers_of_bytes_go_out_as_they_are() -> None:
    """An application may set headers as bytes; those of ours that were there are taken over."""
    peer = Peer()
    given: Any = {"baggage": b"sentry-trace_id=abc", "x-own": b"\xe9", "traceparent": b"stale"}
    with capture(integrations=["requests"]) as telemetry:
        session(peer).get("http://there/", headers=given)

    (sent,) = peer.sent
    assert (sent["baggage"], sent["x-own"]) == ("sentry-trace_id=abc", b"\xe9")
    assert f"{telemetry.span().context.span_id:016x}" in sent["traceparent"]


def test_what_is_no_request_is_the_librarys_to_refuse() -> None:
    """A `Request` that is not prepared, and one without an address, fail as without the kit."""
    wrong: list[Any] = [requests.Request("GET", "http://there/"), requests.PreparedRequest()]

    def refusals() -> list[str]:
        found = []
        for each in wrong:
            with pytest.raises(Exception) as refused:  # noqa: PT011 - whatever it is
                session(Peer()).send(each)
            found.append(repr(refused.value))
        return found

    without = refusals()
    with capture(integrations=["requests"]) as telemetry:
        assert refusals() == without

    assert telemetry.spans == []


def test_an_adapter_for_files_makes_no_hops() -> None:
    """Where no service is asked there is no crossing, and nothing is added."""
    peer = Peer()
    with capture(integrations=["requests"]) as telemetry:
        session(peer).get("file:///tmp/x")

    assert telemetry.spans == []
    assert "traceparent" not in peer.sent[0]


def test_an_exporters_own_requests_make_no_hops() -> None:
    """Exporters send with instrumentation suppressed: no span, no header."""
    peer = Peer()
    with capture(integrations=["requests"]) as telemetry, suppress_instrumentation():
        session(peer).post("http://collector/v1/traces")

    assert telemetry.spans == []
    assert "traceparent" not in peer.sent[0]
