"""Assertions on sagas and on propagation: what they accept, and what they say when they fail."""

import re
import time
from collections.abc import Callable

import pytest

import otel_kit
from otel_kit.testing import RecordedSaga, Telemetry

pytestmark = pytest.mark.telemetry("orders", integrations=[])


def sent_by(caller: str) -> dict[str, str]:
    """Headers of a message that another service has sent."""
    span = "b7ad6b7169203331"
    return {
        "traceparent": f"00-0af7651916cd43dd8448eb211c80319c-{span}-01",
        "tracestate": f"otelkit=c:{caller};p:{span}",
        "baggage": "saga.id=ORD-1,saga.name=order",
    }


def place(outcome: otel_kit.sagas.Outcome | None = None) -> None:
    """An order that shop has sent, and for which billing is asked."""
    with otel_kit.process(otel_kit.incoming("kafka", "orders", carrier=sent_by("shop"))):
        charge = otel_kit.rpc_call("Billing/Charge", carrier={}, host="billing")
        with otel_kit.call(charge) as hop:
            hop.answered('otelkit;desc="billing";dur=1.0')
        if outcome is not None and (saga := otel_kit.current_saga()) is not None:
            saga.finish(outcome)


def test_a_saga_reads_well(telemetry: Telemetry) -> None:
    place("compensated")

    telemetry.saga("ORD-1").reached("compensated").via("shop", "orders", "billing").within(60)


def test_the_last_outcome_counts(telemetry: Telemetry) -> None:
    """A saga may be finished again, in another service, by who knows better."""
    place("failed")
    place("compensated")

    assert telemetry.saga("ORD-1").outcome == "compensated"


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (lambda saga: saga.reached("completed"), "saga ORD-1 failed, expected completed"),
        (lambda saga: saga.via("orders", "bank"), "did not go from orders to bank; it went shop"),
        (lambda saga: saga.via("shop", "billing"), "orders → billing"),
        (lambda saga: saga.within(0), r"took \d+\.\d+ s, more than 0 s"),
    ],
)
def test_what_is_not_so_is_told(
    telemetry: Telemetry, expected: Callable[[RecordedSaga], object], said: str
) -> None:
    place("failed")

    with pytest.raises(AssertionError, match=said):
        expected(telemetry.saga("ORD-1"))


def test_a_saga_that_has_not_finished_has_reached_nothing(telemetry: Telemetry) -> None:
    place()

    with pytest.raises(AssertionError, match="ORD-1 has not finished, expected failed"):
        telemetry.saga("ORD-1").reached("failed")


def test_a_saga_that_is_not_there_is_told_by_those_that_are(telemetry: Telemetry) -> None:
    place()

    with pytest.raises(AssertionError, match=re.escape("no span of saga ORD-2 has ended")):
        telemetry.saga("ORD-2")


def test_a_word_that_is_no_outcome_is_a_mistake(telemetry: Telemetry) -> None:
    place("failed")

    with pytest.raises(ValueError, match="'done' is no outcome of a saga: completed"):
        telemetry.saga("ORD-1").reached("done")


def test_time_is_from_the_first_start_to_the_last_end(telemetry: Telemetry) -> None:
    """Over all traces of the saga, pauses included."""
    with otel_kit.saga("ORD-3", "order"), otel_kit.step("one"):
        begun = time.perf_counter()
    with otel_kit.saga("ORD-3", "order"), otel_kit.step("two"):
        pass
    lasted = time.perf_counter() - begun

    spans = telemetry.saga("ORD-3").spans
    assert len(spans) == 2
    telemetry.saga("ORD-3").within(lasted + 60)


def test_context_that_was_continued_is_propagated(telemetry: Telemetry) -> None:
    place()

    telemetry.assert_propagated()


def test_context_that_was_lost_is_told_by_its_hop(telemetry: Telemetry) -> None:
    """What is known of who sent it, where it came in, and how often."""
    place()
    for _ in range(2):
        with otel_kit.process(otel_kit.incoming("kafka", "refunds", carrier={})):
            pass

    said = "context was lost: unknown → orders by kafka refunds: missing (2 times)"
    with pytest.raises(AssertionError, match=re.escape(said)):
        telemetry.assert_propagated()
    telemetry.assert_propagated(entry=["refunds"])
    telemetry.assert_propagated(entry=["kafka"])


def test_where_nothing_came_in_nothing_was_propagated(telemetry: Telemetry) -> None:
    """An assertion that cannot fail is none."""
    with pytest.raises(AssertionError, match="no hop came in"):
        telemetry.assert_propagated()
