"""A sender who is not trusted is linked to, and one who signed is who it is."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID
from tests.spans import attributes, id_of, links_of, parent_of
from tests.webhooks.receiver import post, served

LIBRARIES = ["flask", "requests"]
STRANGER = {**SAMPLED, "baggage": "saga.id=theirs,tenant=theirs"}
CLIENT, CONSUMER, SERVER = SpanKind.CLIENT, SpanKind.CONSUMER, SpanKind.SERVER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("billing", integrations=LIBRARIES) as telemetry:
        yield telemetry


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
