"""The receiver's side of a webhook: who sent it, how long it took, and whether to go on with it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import django.http
import flask
import multidict
import pytest
import requests
import starlette.datastructures
import werkzeug.datastructures
import werkzeug.serving
from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from standardwebhooks import Webhook, WebhookVerificationError

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID
from tests.webhooks.subscriber import subscriber

BODY = b'{"type":"order.paid","data":{"id":7}}'
CLIENT, CONSUMER, SERVER = SpanKind.CLIENT, SpanKind.CONSUMER, SpanKind.SERVER
LIBRARIES = ["flask", "requests", "tenacity"]
WEBHOOK = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
STRANGER = {**SAMPLED, "baggage": "saga.id=theirs,tenant=theirs"}


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("billing", integrations=LIBRARIES) as telemetry:
        yield telemetry


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent and span.parent.span_id


def links_of(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


@contextmanager
def served(handle: Callable[[Mapping[str, str]], None]) -> Iterator[str]:
    """The address of a Flask application that verifies what comes, and lets `handle` have it."""
    app = flask.Flask("receiver")

    @app.post("/hooks")
    def hooks() -> tuple[str, int]:
        try:
            WEBHOOK.verify(flask.request.get_data(), dict(flask.request.headers))
        except WebhookVerificationError:
            return "", 401
        handle(flask.request.headers)
        return "", 204

    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(url: str, headers: Mapping[str, str], id: str = "evt-1") -> requests.Response:  # noqa: A002
    """Sign as Standard Webhooks has it, and send."""
    now = datetime.now(UTC)
    signed = {
        **headers,
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": WEBHOOK.sign(id, now, BODY.decode()),
    }
    return requests.post(url, data=BODY, headers=signed, timeout=10)


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


def test_a_strangers_context_is_linked_to(telemetry: Telemetry) -> None:
    """Also where the framework's span has gone on with it; it goes no further."""
    seen: list[Any] = []

    def handle(headers: Mapping[str, str]) -> None:
        receiving = otel_kit.webhooks.receive(headers, "order.paid", trusted=False, sender="bank")
        with (
            receiving,
            otel_kit.call(
                otel_kit.http_request("GET", carrier=(sent := {}), scheme="http", host="ledger")
            ),
        ):
            seen.extend([otel_kit.current_saga(), "baggage" in sent])

    with served(handle) as url, otel_kit.replay():  # of what the test sends itself, nothing is told
        post(url, STRANGER)
    request, event, below = (telemetry.span(kind=kind) for kind in (SERVER, CONSUMER, CLIENT))

    assert seen == [None, False]
    assert parent_of(request) == SPAN_ID
    assert event.parent is None
    assert event.context.trace_id != TRACE_ID
    assert links_of(event) == [SPAN_ID, id_of(request)]
    assert parent_of(below) == id_of(event)
    assert names.SAGA_ID not in attributes(event)
    assert attributes(event)[names.SPAN_PROPAGATION] == "untrusted"
    assert telemetry.count(names.HOP_DURATION, client="bank", transport="webhook") == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, transport="webhook") == 0


def test_what_is_around_stays_the_parent_if_it_is_ones_own(telemetry: Telemetry) -> None:
    """Such as a request whose headers a gateway has taken off."""
    tracer = telemetry.tracer_provider.get_tracer("test")
    receiving = otel_kit.webhooks.receive(STRANGER, "order.paid", trusted=False)
    with tracer.start_as_current_span("own") as own, receiving:
        pass
    event = telemetry.span(kind=CONSUMER)

    assert parent_of(event) == own.get_span_context().span_id
    assert links_of(event) == [SPAN_ID]


def test_a_stranger_without_context_is_nobodys_loss(telemetry: Telemetry) -> None:
    """Nothing is linked, and nothing is counted as lost."""
    with otel_kit.webhooks.receive({}, "order.paid", trusted=False):
        pass
    event = telemetry.span(kind=CONSUMER)

    assert (event.parent, event.links) == (None, ())
    assert telemetry.points(names.PROPAGATION_MESSAGES) == []
    assert telemetry.count(names.HOP_DURATION, client="unknown") == 1


def test_the_sender_is_who_signed(telemetry: Telemetry) -> None:
    """Whatever its headers say; the trace goes on all the same."""
    named = {**SAMPLED, "tracestate": f"otelkit=c:somebody;p:{SPAN_ID:016x}"}
    with otel_kit.webhooks.receive(named, "order.paid", sender="bank"):
        pass

    assert attributes(telemetry.span(kind=CONSUMER))[names.SPAN_CLIENT] == "bank"
    assert telemetry.count(names.PROPAGATION_MESSAGES, client="bank", result="continued") == 1


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
