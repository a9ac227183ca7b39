"""The receiver's side of a webhook: who sent it, how long it took, whether it came before."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import django.http
import multidict
import pytest
import requests
import starlette.datastructures
import werkzeug.datastructures
import werkzeug.serving
from opentelemetry import context
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID
from tests.spans import attributes, id_of, links_of, parent_of
from tests.webhooks.receiver import BODY, WEBHOOK, post, served
from tests.webhooks.subscriber import subscriber

CLIENT, CONSUMER, SERVER = SpanKind.CLIENT, SpanKind.CONSUMER, SpanKind.SERVER
LIBRARIES = ["flask", "requests", "tenacity"]
STRANGER = {**SAMPLED, "baggage": "saga.id=theirs,tenant=theirs"}


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("billing", integrations=LIBRARIES) as telemetry:
        yield telemetry


def test_one_trace_from_the_sender_to_the_handler() -> None:
    """Each is a service of its own; the saga goes along, and the edge has its wait and its name."""
    happened = time.time() - 60
    with (
        subscriber() as peer,
        capture("shop", integrations=LIBRARIES) as shop,
        otel_kit.saga("o-1", "order"),
        otel_kit.webhooks.deliver("order.paid", peer.url, created_at=happened) as delivery,
    ):
        post(peer.url, delivery.headers)
    [asked] = peer.asked
    WEBHOOK.verify(asked.body, asked.headers)
    with (
        capture("billing", integrations=LIBRARIES) as billing,
        otel_kit.webhooks.receive(asked.headers, "order.paid"),
        otel_kit.step("book"),
    ):
        assert otel_kit.current_saga() == otel_kit.Saga("o-1", "order")
    sent, handled, step = shop.span(kind=CLIENT), billing.span(kind=CONSUMER), billing.span("book")
    [wait] = billing.points(names.QUEUE_DURATION)

    assert (parent_of(handled), parent_of(step)) == (id_of(sent), id_of(handled))
    assert attributes(handled)["messaging.message.id"] == "evt-1"
    assert wait.labels == {
        "client": "shop",
        "server": "billing",
        "transport": "webhook",
        "destination": "order.paid",
        "group": "",
    }
    assert 60 <= wait.sum < 90
    edge = {"transport": "webhook", "client": "shop"}
    assert shop.count(names.HOP_DURATION, server=peer.address, side="client", **edge) == 1
    assert billing.count(names.HOP_DURATION, server="billing", side="consumer", **edge) == 1


def test_a_framework_serves_each_attempt(telemetry: Telemetry) -> None:
    """Requests are below the delivery; the event is too, and links to the request it came by.

    The receiver says who it is, so that the sender knows whom it delivered to.
    """
    handled: list[str] = []

    def handle(headers: Mapping[str, str]) -> None:
        with otel_kit.webhooks.receive(headers, "order.paid"):
            handled.append(headers["webhook-id"])

    with (
        served(handle) as url,
        otel_kit.webhooks.deliver("order.paid", url, id="evt-1") as delivery,
    ):
        assert (
            requests.post(url, data=BODY, headers=delivery.headers, timeout=10).status_code == 401
        )
        assert post(url, delivery.headers).status_code == 204
    sent, event = telemetry.span(kind=CLIENT), telemetry.span(kind=CONSUMER)
    refused, served_ = telemetry.matching(kind=SERVER)

    assert handled == ["evt-1"]
    assert [parent_of(span) for span in (refused, served_, event)] == [id_of(sent)] * 3
    assert links_of(event) == [id_of(served_)]
    assert attributes(sent)[names.PEER_NAME] == "billing"
    assert telemetry.count(names.HOP_DURATION, transport="http", side="server") == 2
    assert telemetry.count(names.HOP_DURATION, transport="http", side="client") == 0


def test_an_event_that_comes_twice_is_a_duplicate(telemetry: Telemetry) -> None:
    """Each coming is a hop; the receiver knows its id and says that it skips it."""
    known: set[str] = set()

    def handle(headers: Mapping[str, str]) -> None:
        with otel_kit.webhooks.receive(headers, "order.paid"):
            if headers["webhook-id"] in known:
                otel_kit.duplicate()
            known.add(headers["webhook-id"])

    with served(handle) as url:
        for _ in range(2):
            assert post(url, {}).status_code == 204
    first, second = telemetry.matching(kind=CONSUMER)

    assert names.SPAN_DUPLICATE not in attributes(first)
    assert attributes(second)[names.SPAN_DUPLICATE] is True
    assert telemetry.count(names.DUPLICATES, destination="order.paid") == 1


def test_one_event_within_another_is_a_hop_of_its_own(telemetry: Telemetry) -> None:
    """Of the same type, and even with the same id."""
    headers = {"webhook-id": "evt-1"}
    first, second = (otel_kit.webhooks.receive(headers, "order.paid") for _ in range(2))
    with first, second:
        pass

    assert len(telemetry.matching(kind=CONSUMER)) == 2


@pytest.mark.parametrize(
    ("headers", "created_at", "dwell"),
    [
        ({}, None, None),
        ({"webhook-timestamp": "{now}"}, None, 0),
        ({"Webhook-Timestamp": "{now}"}, 60, 60),
        ({**SAMPLED, "tracestate": f"otelkit=c:a;p:{SPAN_ID:016x};t:{{sent}}"}, 60, 120),
        ({"webhook-timestamp": "soon"}, None, None),
        ({"webhook-timestamp": "-1"}, None, None),
        ({"webhook-timestamp": "²"}, None, None),
        ({"webhook-timestamp": "9" * 5000}, None, None),
    ],
)
def test_the_wait_is_from_the_best_that_is_known(
    headers: dict[str, str], created_at: int | None, dwell: int | None, telemetry: Telemetry
) -> None:
    """What a sender with the kit says, else what the body says, else the time of the attempt."""
    now = int(time.time())
    said = {"{now}": str(now), "{sent}": f"{(now - 120) * 10**9:x}"}
    for placeholder, value in said.items():
        headers = {name: text.replace(placeholder, value) for name, text in headers.items()}
    at = None if created_at is None else now - created_at
    with otel_kit.webhooks.receive(headers, "order.paid", created_at=at):
        pass
    found = attributes(telemetry.span(kind=CONSUMER)).get(names.SPAN_QUEUE_DURATION)

    assert found == (None if dwell is None else pytest.approx(dwell, abs=5))


PLAIN = {"Traceparent": SAMPLED["traceparent"], "Webhook-Id": "evt-1"}
META = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in PLAIN.items()}


@pytest.mark.parametrize(
    "headers",
    [
        PLAIN,
        list(PLAIN.items()),
        iter(PLAIN.items()),
        [(name.lower().encode(), value.encode()) for name, value in PLAIN.items()],
        werkzeug.datastructures.Headers(PLAIN),
        werkzeug.datastructures.EnvironHeaders(META),
        starlette.datastructures.Headers(PLAIN),
        multidict.CIMultiDict(PLAIN),
        django.http.request.HttpHeaders(META),
        requests.structures.CaseInsensitiveDict(PLAIN),
    ],
    ids=lambda headers: type(headers).__name__,
)
def test_headers_of_any_framework_are_read(headers: Any, telemetry: Telemetry) -> None:
    """Mappings with or without case, and pairs, of text or of bytes; none is changed."""
    with otel_kit.webhooks.receive(headers, "order.paid"):
        pass
    event = telemetry.span(kind=CONSUMER)

    assert parent_of(event) == SPAN_ID
    assert attributes(event)["messaging.message.id"] == "evt-1"


@pytest.mark.parametrize(
    "headers", [None, 7, ["x"], [(1, 2, 3)], {"traceparent": None}, {7: b"\xff"}]
)
@pytest.mark.parametrize("trusted", [True, False])
def test_headers_that_are_none_cost_nothing_but_their_telemetry(
    headers: Any, trusted: bool
) -> None:
    """The event is handled, within a hop or not."""
    handled, before = [], context.get_current()
    capturing = capture("billing", strict=False, integrations=LIBRARIES)
    with capturing, otel_kit.webhooks.receive(headers, "order.paid", trusted=trusted):
        handled.append(1)

    assert handled == [1]
    assert context.get_current() == before


def test_an_event_is_handled_without_telemetry() -> None:
    """By an application that is not instrumented, as ever."""
    handled = []
    with otel_kit.webhooks.receive(STRANGER, "order.paid", trusted=False, sender="bank"):
        handled.append(otel_kit.current_saga())

    assert handled == [None]
