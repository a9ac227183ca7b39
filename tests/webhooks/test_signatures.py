"""What goes over the wire: valid signatures, and to strangers no more than they need."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from opentelemetry.trace import SpanKind
from standardwebhooks import Webhook

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.spans import attributes, id_of, parent_of
from tests.webhooks.senders import BODY, CLIENTS, WIRE, Post, by_requests, tried
from tests.webhooks.subscriber import Subscriber

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


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
    assert attributes(telemetry.span(kind=SpanKind.CLIENT))[names.SAGA_ID] == "o-1"


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
    request, hop = telemetry.matching(kind=SpanKind.CLIENT)

    assert parent_of(request) == id_of(hop)
    assert f"-{id_of(request):016x}-" in asked.headers["traceparent"]
    assert webhook.verify(asked.body, asked.headers)["type"] == "order.paid"
