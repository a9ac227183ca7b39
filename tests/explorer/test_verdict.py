"""What a saga waits for, why, and the sentence that says so; the demo's faults by name."""

from dataclasses import replace

import pytest

from otel_kit.explorer.model.explain import explain
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.usual import FINISH, learn
from otel_kit.explorer.model.verdict import Verdict, judge
from otel_kit.explorer.model.words import count, duration, listed, share
from otel_kit.records import BreakerRecord, PropagationRecord, QueueRecord
from tests.explorer.building import Made, at, order

USUAL = learn([order(f"o-{n}", charge=20 + n, queued=10 + n).story() for n in range(10)])


def _verdict(made: Made, now: float, around: Surroundings | None = None) -> tuple[str, Verdict]:
    story = made.story()
    verdict = judge(story, at(now), USUAL, around)
    return explain(story, verdict), verdict


def _begun() -> Made:
    """An order whose reservation is done and whose charge has begun."""
    made = Made()
    reserve = made.message("inventory.commands", 0, 5, 20, ("orders", "inventory"))
    made.step("reserve-inventory", 6, 15, "inventory", under=reserve)
    bill = made.message("billing.commands", 20, 25, 30, ("orders", "billing"), reserve)
    made.spans.remove(bill)
    made.spans.append(replace(bill, ended_ns=at(26)))
    made.started("charge-payment", 26, "billing")
    return made


def test_what_is_usual_is_learned_from_finished_sagas() -> None:
    """Steps, waits by queue, who consumes it, what follows what."""
    assert USUAL.sagas == 10
    assert learn([order("o-1").story(), order("o-2").story()], besides="o-1").sagas == 1
    assert USUAL.durations["reserve-inventory"].p50_s == 0.014
    assert USUAL.queues["billing.commands"].p50_s == pytest.approx(0.0145)
    assert USUAL.consumers["billing.commands"] == "billing"
    [following] = USUAL.following["reserve-inventory"]
    assert (following.step, following.share) == ("charge-payment", 1.0)
    assert USUAL.following["charge-payment"][0].step == FINISH


def test_a_step_that_does_not_end_is_awaited_with_the_open_breaker() -> None:
    """The sentence of the issue: how long, what, the usual p99, the breaker."""
    breaker = BreakerRecord("bank", "bank", "billing", "open", None, 9.0, 1, 3)
    sentence, verdict = _verdict(_begun(), 250_026, Surroundings(breakers=[breaker]))

    assert sentence == (
        "Waiting 4 m 10 s for `charge-payment` in billing to end; 99 % of `order` sagas pass this "
        "within 33 ms; the breaker `bank` of billing is open."
    )
    assert verdict.state == "stuck"
    assert verdict.awaited is not None
    assert verdict.awaited.overdue


def test_a_message_that_nobody_takes_is_awaited_with_its_queue() -> None:
    """A stalled consumer: the lag of that very queue is the reason."""
    made = Made()
    root = made.span("place", 0, 10)
    said = {"messaging__destination__name": "inventory.commands"}
    made.span("send", 5, 6, "orders", "producer", under=root, **said)
    made.span("send", 7, 8, "orders", "producer", messaging__destination__name="audit", under=root)
    rows = [QueueRecord("kafka", "inventory.commands", "inventory", None, 12_400, 250.0)]
    sentence, verdict = _verdict(made, 90_006, Surroundings(queues=rows))

    assert sentence == (
        "Waiting 1 m 30 s for inventory to take a message from `inventory.commands`; 99 % of "
        "`order` sagas pass this within 5 ms; 12 400 messages wait in `inventory.commands` for "
        "inventory, the oldest for 4 m 10 s."
    )
    assert verdict.awaited is not None
    assert [reason.kind for reason in verdict.awaited.reasons] == ["lag"]


def test_a_queue_without_consumers_is_the_reason() -> None:
    """Rows are given, and none has a group for this queue."""
    made = Made()
    made.span("s", 5, 6, "orders", "producer", messaging__destination__name="billing.commands")
    sentence, _ = _verdict(made, 500, Surroundings(queues=[]))
    unknown, _ = _verdict(made, 500)

    assert "nobody is known to consume `billing.commands`" in sentence
    assert "consume" not in unknown


def test_a_message_that_was_rolled_back_is_not_awaited() -> None:
    """Its row is gone, so nobody will ever take it."""
    made = Made()
    made.step("reserve-inventory", 0, 5, "inventory")
    said = {"messaging__destination__name": "inventory.commands"}
    made.span("send", 5, 6, "orders", "producer", error="cancelled", **said)
    sentence, _ = _verdict(made, 20)

    assert "inventory.commands" not in sentence
    assert sentence.startswith("Waiting 15 ms for `charge-payment`")


def test_without_anything_under_way_the_usual_next_step_is_awaited() -> None:
    """After the reservation usually comes the charge."""
    made = Made()
    made.step("reserve-inventory", 6, 15, "inventory")
    sentence, verdict = _verdict(made, 20)

    assert sentence.startswith("Waiting 5 ms for `charge-payment` in billing to begin")
    assert verdict.state == "running"


def test_how_long_is_too_long_is_learned() -> None:
    """Far over the usual is stuck long before the fixed time; a slow kind of saga is not."""
    assert _verdict(_begun(), 2_000)[1].state == "stuck"
    slow = learn([order(f"o-{n}", charge=400_000).story() for n in range(3)])
    story = _begun().story()

    assert judge(story, at(100_000), slow).state == "running"


def test_a_lost_context_is_among_the_reasons() -> None:
    """What is not seen may have happened."""
    made = _begun()
    said = {"messaging__destination__name": "x", "otel_kit__propagation": "missing"}
    made.span("process", 40, 41, "shipping", "consumer", trace=2, **said)
    sentence, _ = _verdict(made, 500)

    assert "a hop from unknown to shipping through x lost its context" in sentence


# -- the demo's faults -----------------------------------------------------------------------------


def _failing(step_error: str, reason: str, outcome: str = "compensated") -> Made:
    made = Made()
    made.step("reserve-inventory", 0, 10, "inventory")
    step = made.step("charge-payment", 20, 60, "billing", error=step_error, reason=reason)
    if step_error == "connection":
        for number in range(1, 6):
            attempt = made.span(
                "attempt", 15 + number * 7, 18 + number * 7, "billing", under=step,
                otel_kit__retry__attempt=number, error="connection",
            )  # fmt: skip
            made.call(
                16 + number * 7, 17 + number * 7, ("billing", "bank"), None, attempt, "connection"
            )
    failed = "unavailable" if outcome == "partially_compensated" else ""
    made.undo("reserve-inventory", 70, 80, "inventory", error=failed, reason="does not answer")
    made.finish(made.span("process", 85, 90), outcome)
    return made


def test_billing_declines() -> None:
    """The business error in charge-payment, then the undoing."""
    sentence, _ = _verdict(_failing("business", "card declined"), 1_000)

    assert "Compensated after 90 ms" in sentence
    assert "`charge-payment` failed in billing: business error, “card declined”" in sentence
    assert "`reserve-inventory` was undone" in sentence


def test_bank_down() -> None:
    """Five attempts, all refused by the network, by name of the edge; the breaker is open."""
    breaker = BreakerRecord("bank", "bank", "billing", "open", None, 9.0, 1, 3)
    around = Surroundings(breakers=[breaker])
    sentence, _ = _verdict(_failing("connection", "refused"), 1_000, around)

    assert "`charge-payment` failed in billing after 5 attempts: connection error" in sentence
    assert "(billing → bank connection × 5)" in sentence
    assert "the breaker `bank` is open" in sentence


def test_a_breaker_that_opened_later() -> None:
    """It is open now, but has nothing to do with how the saga ended."""
    breaker = BreakerRecord("bank", "bank", "billing", "open", at(60_000) / 1e9, 9.0, 1, 3)
    sentence, _ = _verdict(
        _failing("connection", "refused"), 90_000, Surroundings(breakers=[breaker])
    )

    assert "`charge-payment` failed in billing" in sentence
    assert "is open" not in sentence


def test_breaker_open() -> None:
    """The bank was not even called."""
    sentence, _ = _verdict(_failing("breaker_open", "bank failed recently"), 1_000)

    assert "a circuit breaker refused the call, “bank failed recently”" in sentence


def test_bank_slow() -> None:
    """Completed, late, and where the time went."""
    sentence, _ = _verdict(order(charge=1_000), 9_000)

    assert sentence.startswith("Completed after 1.1 s; late: 99 % take at most ")
    assert sentence.endswith("1.0 s went into work in bank.")
    assert "no longer than usual" in _verdict(order(), 9_000)[0]


def test_out_of_stock() -> None:
    """Failed, and nothing to compensate."""
    made = Made()
    made.step("reserve-inventory", 0, 10, "inventory", error="business", reason="sold out")
    made.finish(made.span("process", 20, 30), "failed")

    assert _verdict(made, 1_000)[0].startswith(
        "Failed after 30 ms; `reserve-inventory` failed in inventory: business error, “sold out”"
    )


def test_poison_message() -> None:
    """The dead letter is the cause."""
    made = Made()
    said = {"otel_kit__dead_letter": "serialization"}
    made.message("inventory.commands", 0, 5, 10, ("orders", "inventory"), **said)
    made.finish(made.span("process", 20, 30), "failed")

    assert (
        "inventory put a message of `inventory.commands` aside as a dead letter (serialization)"
        in _verdict(made, 1_000)[0]
    )


def test_context_dropped() -> None:
    """Completed, and the hop that loses its context is named by the metrics."""
    made = order()
    made.spans = [span for span in made.spans if span.service != "bank"]
    [call] = [span for span in made.spans if (span.service, span.kind) == ("billing", "client")]
    address = {"server.address": "10.0.0.7", "service.peer.name": "10.0.0.7:80"}
    lost = PropagationRecord(
        "billing", "bank", "http", "", {"missing": 12}, likely_cause="a proxy drops headers"
    )
    around = Surroundings(propagation=[lost])

    clause = "hops from billing to bank lose their context (12 of 12): a proxy drops headers"
    assert clause in _verdict(made, 1_000, around)[0]
    made.spans[made.spans.index(call)] = replace(call, attributes=call.attributes | address)
    assert clause in _verdict(made, 1_000, around)[0]
    assert clause not in _verdict(order(), 1_000, around)[0]


def test_duplicate_delivery() -> None:
    """The same effects, and the duplicates are counted."""
    made = order()
    made.span("process", 70, 72, "inventory", "consumer", otel_kit__duplicate=True)

    assert "1 duplicate message was skipped" in _verdict(made, 1_000)[0]


def test_compensation_fails() -> None:
    """Only partly compensated: what could not be undone, and why."""
    sentence, verdict = _verdict(_failing("business", "declined", "partially_compensated"), 1_000)

    assert verdict.ledger.partial
    assert "Only partly compensated after 90 ms" in sentence
    assert (
        "undoing `reserve-inventory` failed in inventory after 1 attempt: unavailable error, "
        "“does not answer”" in sentence
    )


def test_words() -> None:
    """Durations in two units, counts with thin thousands, lists with an and."""
    seconds = [0, 0.00032, 0.0009999, 0.045, 1.9, 59.97, 250, 7_500, 273_600]
    assert [duration(s) for s in seconds] == [
        "0 µs", "320 µs", "1 ms", "45 ms", "1.9 s", "1 m", "4 m 10 s", "2 h 5 m", "3 d 4 h"
    ]  # fmt: skip
    assert [share(part) for part in (0, 0.001, 0.86, 0.999, 1)] == [
        "0 %", "< 1 %", "86 %", "> 99 %", "100 %"
    ]  # fmt: skip
    assert [count(1, "message"), count(12_400, "message")] == ["1 message", "12 400 messages"]
    assert [listed([]), listed(["a"]), listed(["a", "b", "c"])] == ["", "a", "a, b and c"]
