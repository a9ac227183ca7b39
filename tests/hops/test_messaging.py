"""Messages that are more than one-way: requests, what is kept for whoever comes, templates."""

from collections.abc import Iterator

import pytest
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.hops import Hop, incoming, outgoing, process, send
from otel_kit.hops.messaging import batch
from otel_kit.hops.messaging import request as asking
from otel_kit.hops.runtime import call
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import from_kit

SERVER, CONSUMER = SpanKind.SERVER, SpanKind.CONSUMER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("tested", integrations=["httpx"]) as recorded:
        yield recorded


class Delivery:
    """What only one delivery of a message has."""


def arrived(*, request: bool = False, kept: bool = False) -> Hop:
    """A message that was sent at the beginning of time."""
    return incoming(
        "test",
        "orders",
        carrier=from_kit("shop", sent_ns=None),
        sent_at=1.0,
        request=request,
        kept=kept,
        delivery=Delivery(),
    )


def test_a_request_is_served(telemetry: Telemetry) -> None:
    """Somebody waits for the answer: a SERVER, an edge of its side, and no dwell."""
    with process(arrived(request=True)):
        pass

    assert telemetry.span().kind is SERVER
    assert telemetry.count(names.HOP_DURATION, side="server", client="shop") == 1
    assert telemetry.points(names.QUEUE_DURATION) == []


def test_a_request_within_its_own_hop_is_one(telemetry: Telemetry) -> None:
    """Whoever says `process` in the handler that serves it goes on with that hop."""
    hop = arrived(request=True)
    with process(hop), otel_kit.process(hop):
        pass

    assert telemetry.span().kind is SERVER
    assert telemetry.count(names.HOP_DURATION, side="server") == 1


def test_a_request_that_is_asked_has_its_destination_as_server(telemetry: Telemetry) -> None:
    """Until it is answered by name, by that or by what answered there before."""
    for said in (None, 'otelkit;desc="billing";dur=1.5', None):
        with call(asking("test", "bills", carrier={}, broker="there:4222")) as hop:
            hop.answered(said)

    points = telemetry.points(names.HOP_DURATION, side="client")
    assert {dict(each.labels)["server"]: each.count for each in points} == {
        "bills": 1,
        "billing": 2,
    }


def test_what_is_kept_for_whoever_comes_waited_for_nobody(telemetry: Telemetry) -> None:
    """Its age is no dwell; it is handled, and counted, as any other."""
    with process(arrived(kept=True)):
        pass
    with process(arrived()):
        pass

    (point,) = telemetry.points(names.QUEUE_DURATION)
    assert point.count == 1
    assert telemetry.count(names.HOP_DURATION, side="consumer") == 2


def test_labels_have_the_template_alone(telemetry: Telemetry) -> None:
    """In the kit's metrics and in the conventions', of either side; the span has both."""
    with send(outgoing("test", "orders.17", carrier={}, template="orders.*")):
        pass
    with process(incoming("test", "orders.17", carrier={}, template="orders.*", sent_at=1.0)):
        pass

    for metric in (
        *(names.HOP_DURATION, names.QUEUE_DURATION, names.MESSAGING_PROCESS_DURATION),
        *(names.MESSAGING_OPERATION_DURATION, names.MESSAGING_SENT, names.MESSAGING_CONSUMED),
    ):
        for point in telemetry.points(metric):
            assert "orders.*" in str(point.labels)
            assert "17" not in str(point.labels)
    for span in telemetry.spans:
        assert (span.attributes or {})[names.MESSAGING_DESTINATION] == "orders.17"
        assert (span.attributes or {})[names.MESSAGING_TEMPLATE] == "orders.*"


def test_a_batch_of_one_template_has_its_label(telemetry: Telemetry) -> None:
    """And is consumed, whatever its messages are."""
    parts = [
        incoming("test", f"orders.{n}", carrier={}, template="orders.*", request=True)
        for n in (1, 2)
    ]
    with process(batch(parts)):
        pass

    (point,) = telemetry.points(names.MESSAGING_CONSUMED)
    assert dict(point.labels)[names.MESSAGING_TEMPLATE] == "orders.*"
    assert telemetry.span().kind is CONSUMER
