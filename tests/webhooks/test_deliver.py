"""The sender's side of a webhook: one hop, however many requests it takes."""

import asyncio
import time
from typing import Any

import httpx
import pytest
import stamina
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.spans import attributes, id_of, parent_of
from tests.webhooks.senders import (
    CLIENTS,
    FAILURES,
    LIBRARIES,
    WIRE,
    Post,
    by_requests,
    tried,
)
from tests.webhooks.subscriber import HANGS_UP, Subscriber


@CLIENTS
def test_attempts_are_one_hop(post: Post, telemetry: Telemetry, peer: Subscriber) -> None:
    """A CLIENT span, with a span for each attempt below; the requests make none of their own."""
    peer.answers.extend([503, HANGS_UP, 204])
    with otel_kit.webhooks.deliver("order.paid", peer.url, id="evt-1") as delivery:
        for attempt in tried(3):
            with attempt:
                post(peer.url, delivery.headers)
    [hop] = telemetry.matching(kind=SpanKind.CLIENT)
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

    assert len(telemetry.matching("deliver order.paid", SpanKind.CLIENT)) == 20
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
    other, hop = telemetry.matching(kind=SpanKind.CLIENT)

    assert (other.name, hop.name) == ("POST", "deliver order.paid")
    assert parent_of(other) == id_of(hop)


def test_a_client_that_nobody_instruments_is_told(telemetry: Telemetry, peer: Subscriber) -> None:
    """By the status and, if it says who answered, the headers of the answer."""
    timing = {"Server-Timing": 'otelkit;desc="billing";dur=1.5'}
    with otel_kit.webhooks.deliver("order.paid", peer.url) as delivery:
        delivery.answered(410, timing)
    hop = telemetry.span(kind=SpanKind.CLIENT)

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
