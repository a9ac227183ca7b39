"""The sender's side of a webhook: one hop, however many requests it takes."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import stamina
import tenacity
import urllib3
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from standardwebhooks import Webhook

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.webhooks.subscriber import HANGS_UP, Subscriber, subscriber

LIBRARIES = ["aiohttp-client", "httpx", "requests", "stamina", "tenacity", "urllib3"]
BODY = b'{"type":"order.paid","data":{"id":7}}'
CLIENT, INTERNAL = SpanKind.CLIENT, SpanKind.INTERNAL
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WIRE = ["traceparent", "tracestate", "baggage"]
FAILURES = (
    aiohttp.ClientError,
    httpx.HTTPError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)
Post = Callable[[str, Mapping[str, str]], None]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("shop", integrations=LIBRARIES) as telemetry:
        yield telemetry


@pytest.fixture
def peer() -> Iterator[Subscriber]:
    with subscriber() as found:
        yield found


def by_requests(url: str, headers: Mapping[str, str]) -> None:
    requests.post(url, data=BODY, headers=dict(headers), timeout=10).raise_for_status()


def by_httpx(url: str, headers: Mapping[str, str]) -> None:
    httpx.post(url, content=BODY, headers=dict(headers), trust_env=False).raise_for_status()


def by_urllib3(url: str, headers: Mapping[str, str]) -> None:
    with urllib3.PoolManager() as pool:
        answer = pool.request("POST", url, body=BODY, headers=headers, retries=False)
    if answer.status >= 400:
        raise urllib3.exceptions.HTTPError(answer.status)


def by_aiohttp(url: str, headers: Mapping[str, str]) -> None:
    async def post() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=BODY, headers=headers) as answer,
        ):
            answer.raise_for_status()

    asyncio.run(post())


CLIENTS = pytest.mark.parametrize("post", [by_requests, by_httpx, by_urllib3, by_aiohttp])


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent and span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def tried(times: int) -> tenacity.Retrying:
    return tenacity.Retrying(stop=tenacity.stop_after_attempt(times), reraise=True)


@CLIENTS
def test_attempts_are_one_hop(post: Post, telemetry: Telemetry, peer: Subscriber) -> None:
    """A CLIENT span, with a span for each attempt below; the requests make none of their own."""
    peer.answers.extend([503, HANGS_UP, 204])
    with otel_kit.webhooks.deliver("order.paid", peer.url, id="evt-1") as delivery:
        for attempt in tried(3):
            with attempt:
                post(peer.url, delivery.headers)
    [hop] = telemetry.matching(kind=CLIENT)
    attempts = [span for span in telemetry.spans if names.SPAN_RETRY_ATTEMPT in attributes(span)]

    assert hop.name == "deliver order.paid"
    assert parent_of(telemetry.span(next(s.name for s in telemetry.spans if "retry" in s.name)))
    assert [attributes(span)[names.SPAN_RETRY_ATTEMPT] for span in attempts] == [1, 2, 3]
    assert attributes(hop)["http.response.status_code"] == 204
    assert names.SPAN_ERROR_CLASS not in attributes(hop)
    assert telemetry.count(names.HOP_DURATION, transport="webhook", server=peer.address) == 1
    assert telemetry.count(names.HOP_DURATION) == 1
    assert telemetry.count(names.RETRY_ATTEMPTS, server=peer.address, outcome="retried") == 2
    assert telemetry.count(names.RETRY_ATTEMPTS, server=peer.address, outcome="success") == 1
    sent = [
        {name: asked.headers.get(name) for name in (*WIRE, "webhook-id")} for asked in peer.asked
    ]
    assert sent == [sent[0]] * 3
    assert f"-{id_of(hop):016x}-" in str(sent[0]["traceparent"])


@CLIENTS
def test_a_delivery_that_is_given_up_has_failed(
    post: Post, telemetry: Telemetry, peer: Subscriber
) -> None:
    """With what the last attempt came to, and the application sees its exception."""
    peer.answers.extend([204, 503, 503])
    post(peer.url, {})
    delivering = otel_kit.webhooks.deliver("order.paid", peer.url)
    with pytest.raises(FAILURES, match="503"), delivering as delivery:
        tried(2)(post, peer.url, delivery.headers)
    hop = telemetry.span("deliver order.paid")

    assert hop.status.status_code is StatusCode.ERROR
    assert attributes(hop)[names.SPAN_ERROR_CLASS] == "unavailable"
    assert attributes(hop)["error.type"] == "503"
    assert telemetry.count(names.HOP_DURATION, error_class="unavailable") == 1


@CLIENTS
def test_the_last_attempt_counts(post: Post, telemetry: Telemetry, peer: Subscriber) -> None:
    """One that nobody answered is not the one before, which was answered."""
    peer.answers.extend([503, HANGS_UP])
    delivering = otel_kit.webhooks.deliver("order.paid", peer.url)
    with pytest.raises(FAILURES), delivering as delivery:
        tried(2)(post, peer.url, delivery.headers)
    hop = telemetry.span("deliver order.paid")

    assert attributes(hop)[names.SPAN_ERROR_CLASS] == "connection"
    assert "http.response.status_code" not in attributes(hop)


async def test_stamina_and_asyncio_are_the_same(telemetry: Telemetry, peer: Subscriber) -> None:
    """An asynchronous delivery is one hop too, and twenty at once are twenty."""
    peer.answers.extend([503] * 20)

    async def deliver(client: httpx.AsyncClient, number: int) -> None:
        with otel_kit.webhooks.deliver("order.paid", peer.url, id=str(number)) as delivery:
            async for attempt in stamina.retry_context(on=httpx.HTTPError, wait_initial=0):
                with attempt:
                    answer = await client.post(peer.url, headers=delivery.headers)
                    answer.raise_for_status()

    async with httpx.AsyncClient(trust_env=False) as client:
        await asyncio.gather(*(deliver(client, number) for number in range(20)))

    assert len(telemetry.matching("deliver order.paid", CLIENT)) == 20
    assert telemetry.count(names.HOP_DURATION) == 20
    assert telemetry.count(names.RETRY_ATTEMPTS, server=peer.address) == 40
    found = {(each.headers["webhook-id"], each.headers["traceparent"]) for each in peer.asked}
    assert (len(peer.asked), len(found)) == (40, 20)


@CLIENTS
def test_other_calls_within_are_hops_of_their_own(
    post: Post, telemetry: Telemetry, peer: Subscriber
) -> None:
    """Such as one that fetches a token: it does not carry the delivery's headers."""
    with otel_kit.webhooks.deliver("order.paid", peer.url) as delivery:
        post(peer.url, {"authorization": "none"})
        post(peer.url, delivery.headers)
    other, hop = telemetry.matching(kind=CLIENT)

    assert (other.name, hop.name) == ("POST", "deliver order.paid")
    assert parent_of(other) == id_of(hop)


@CLIENTS
def test_a_standard_signature_stays_valid(
    post: Post, telemetry: Telemetry, peer: Subscriber
) -> None:
    """Made and verified by the package of Standard Webhooks, for each attempt anew."""
    webhook = Webhook(SECRET)
    peer.answers.append(500)
    with otel_kit.webhooks.deliver("order.paid", peer.url, id="evt-1") as delivery:
        for attempt in tried(2):
            now = datetime.now(UTC)
            signed = {
                **delivery.headers,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": webhook.sign("evt-1", now, BODY.decode()),
            }
            with attempt:
                post(peer.url, signed)

    assert len(peer.asked) == 2
    for asked in peer.asked:
        assert asked.body == BODY
        assert webhook.verify(asked.body, asked.headers)["type"] == "order.paid"


@CLIENTS
def test_headers_of_the_trace_may_be_signed(
    post: Post, telemetry: Telemetry, peer: Subscriber
) -> None:
    """What was signed arrives: nobody changes them after `deliver()`."""

    def signature(headers: Mapping[str, str]) -> str:
        signed = "\n".join(f"{name}: {headers[name]}" for name in WIRE)
        return hmac.new(b"secret", signed.encode() + BODY, hashlib.sha256).hexdigest()

    peer.answers.append(500)
    with otel_kit.saga("o-1"), otel_kit.webhooks.deliver("order.paid", peer.url) as delivery:
        for attempt in tried(2):
            with attempt:
                post(peer.url, {**delivery.headers, "signature": signature(delivery.headers)})

    assert len(peer.asked) == 2
    assert all(asked.headers["signature"] == signature(asked.headers) for asked in peer.asked)


def test_the_headers_of_the_application_go_along(telemetry: Telemetry, peer: Subscriber) -> None:
    """In a copy, in their case; an id of the event stands under the standard's name, once."""
    own = {"X-Kind": "paid", "Webhook-Id": "old", "Traceparent": "theirs"}
    with otel_kit.webhooks.deliver("order.paid", peer.url, own, id="evt-1") as delivery:
        found = delivery.headers

    assert own == {"X-Kind": "paid", "Webhook-Id": "old", "Traceparent": "theirs"}
    assert sorted(found) == ["X-Kind", "traceparent", "tracestate", "webhook-id"]
    assert found["webhook-id"] == "evt-1"


@CLIENTS
def test_a_stranger_gets_the_trace_id_alone(
    post: Post, telemetry: Telemetry, peer: Subscriber
) -> None:
    """Neither the saga, nor other baggage, nor who sends; what the application set is its own."""
    own = {"baggage": "public=yes"}
    with (
        otel_kit.saga("o-1"),
        otel_kit.webhooks.deliver("order.paid", peer.url, own, trusted=False) as delivery,
    ):
        post(peer.url, delivery.headers)
    [asked] = peer.asked

    assert {name: asked.headers.get(name) for name in WIRE} == {
        "traceparent": delivery.headers["traceparent"],
        "tracestate": None,
        "baggage": "public=yes",
    }
    assert attributes(telemetry.span(kind=CLIENT))[names.SAGA_ID] == "o-1"


def test_a_client_that_nobody_instruments_is_told(telemetry: Telemetry, peer: Subscriber) -> None:
    """By the status and, if it says who answered, the headers of the answer."""
    timing = {"Server-Timing": 'otelkit;desc="billing";dur=1.5'}
    with otel_kit.webhooks.deliver("order.paid", peer.url) as delivery:
        delivery.answered(410, timing)
    hop = telemetry.span(kind=CLIENT)

    assert attributes(hop)[names.SPAN_ERROR_CLASS] == "client_error"
    assert attributes(hop)[names.PEER_NAME] == "billing"
    assert telemetry.count(names.HOP_DURATION, server="billing", error_class="client_error") == 1


@pytest.mark.parametrize("url", ["", "http://[", "http://host:port/", 7, "http://127.0.0.1:9/x"])
def test_no_part_of_an_address_is_told_but_its_host(url: Any, telemetry: Telemetry) -> None:
    """The path of a subscriber's address may be a secret; one that is none is the client's."""
    with otel_kit.webhooks.deliver("order.paid", url) as delivery:
        assert "traceparent" in delivery.headers
    [hop] = telemetry.spans

    assert "url.full" not in attributes(hop)
    assert attributes(hop).get("server.address") in (None, "127.0.0.1", "host")


def test_when_the_event_happened_is_told(telemetry: Telemetry, peer: Subscriber) -> None:
    """Else when its delivery began, with which it is one and the same for all attempts."""
    before = time.time()
    with otel_kit.webhooks.deliver("order.paid", peer.url) as now:
        pass
    with otel_kit.webhooks.deliver("order.paid", peer.url, created_at=before - 60) as then:
        pass

    def sent(delivery: otel_kit.webhooks.Delivery) -> float:
        return int(delivery.headers["tracestate"].partition(";t:")[2], 16) / 1e9

    assert before <= sent(now) <= time.time()
    assert sent(then) == pytest.approx(before - 60, abs=0.001)


def test_without_telemetry_the_headers_are_the_applications(peer: Subscriber) -> None:
    """An application that is not instrumented delivers as ever, and so does a replay."""
    with otel_kit.webhooks.deliver("order.paid", peer.url, {"kind": "paid"}, id="1") as delivery:
        by_requests(peer.url, delivery.headers)
        delivery.answered(204)
    with (
        capture("shop", integrations=LIBRARIES) as telemetry,
        otel_kit.replay(),
        otel_kit.webhooks.deliver("order.paid", peer.url, {"kind": "paid"}) as replayed,
    ):
        by_requests(peer.url, replayed.headers)

    assert delivery.headers == {"kind": "paid", "webhook-id": "1"}
    assert replayed.headers == {"kind": "paid"}
    assert telemetry.spans == []
    assert not {*WIRE} & {name for asked in peer.asked for name in asked.headers}


def test_opentelemetrys_own_client_spans_are_below(peer: Subscriber) -> None:
    """They write their context into each request; the body's signature is valid all the same."""
    webhook, now = Webhook(SECRET), datetime.now(UTC)
    signature = {
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("evt-1", now, BODY.decode()),
    }
    with (
        capture("shop", integrations=["requests"], prefer="contrib") as telemetry,
        otel_kit.webhooks.deliver("order.paid", peer.url, id="evt-1") as delivery,
    ):
        by_requests(peer.url, {**delivery.headers, **signature})
    [asked] = peer.asked
    request, hop = telemetry.matching(kind=CLIENT)

    assert parent_of(request) == id_of(hop)
    assert f"-{id_of(request):016x}-" in asked.headers["traceparent"]
    assert webhook.verify(asked.body, asked.headers)["type"] == "order.paid"
