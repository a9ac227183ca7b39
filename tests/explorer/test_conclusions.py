"""State, steps, ledger: what is concluded from what was built."""

import pytest

from otel_kit.explorer.model.ledger import ledger, sentence
from otel_kit.explorer.model.pace import paces
from otel_kit.explorer.model.segments import segments
from otel_kit.explorer.model.state import state
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.summary import summarise
from otel_kit.explorer.model.usual import learn
from tests.explorer.building import Made, at, ms, order


def _state(made: Made, now: float) -> str:
    story = made.story()
    return state(story, steps(story), at(now))


def _compensated(undo_error: str = "", outcome: str = "compensated") -> Made:
    """Charging fails for good after two tries; what was reserved is given back."""
    made = Made()
    made.step("reserve", 0, 10, "inventory")
    made.step("charge", 20, 30, "billing", error="timeout")
    made.step("charge", 40, 50, "billing", error="business", reason="card declined")
    made.undo("reserve", 60, 65, "inventory", error="unavailable")
    made.undo("reserve", 70, 75, "inventory", error=undo_error, reason="no answer")
    if outcome:
        made.finish(made.span("last", 80, 81), outcome)
    return made


def test_a_step_retried_then_compensated() -> None:
    """Attempts are counted into one step, and the last one's error is the step's."""
    found = steps(_compensated().story())

    assert [(s.name, s.kind, s.attempts, s.error, s.open) for s in found] == [
        ("reserve", "action", 1, "", False),
        ("charge", "action", 2, "business", False),
        ("undo reserve", "compensation", 2, "", False),
    ]
    assert found[1].reason == "card declined"
    assert (ms(found[1].started_ns), found[1].duration_s) == (20, 0.03)


def test_a_step_that_had_succeeded_is_another_one_the_next_time() -> None:
    """Repetition is not retry."""
    made = Made()
    made.step("ship", 0, 10, "shipping")
    made.step("ship", 20, 30, "shipping")

    assert [(step.number, step.attempts) for step in steps(made.story())] == [(1, 1), (2, 1)]


def test_attempts_of_a_retried_call_count_for_their_step() -> None:
    """Five tries of the bank within one step are five attempts."""
    made = Made()
    step = made.step("charge", 0, 90, "billing", error="connection")
    call = made.span("retry charge", 1, 89, "billing", under=step)
    for number in range(1, 6):
        made.span(
            "attempt charge", number * 10, number * 10 + 5, "billing", under=call,
            error="connection", otel_kit__retry__attempt=number,
        )  # fmt: skip

    [found] = steps(made.story())
    assert found.attempts == 5
    bars = segments(made.story(), [found], at(90))
    assert [(b.started_ns, b.ended_ns) for b in bars if b.kind == "backoff"] == [
        (at(n * 10 + 5), at(n * 10 + 10)) for n in range(1, 5)
    ]


def test_a_step_begun_and_not_ended_is_open() -> None:
    """The event tells of it; once the step's span is there, the event adds nothing."""
    made = Made()
    done = made.step("reserve", 0, 10, "inventory")
    made.started("reserve", 0.1, "inventory", span_id=done.span_id)
    made.started("reserve", 0.2, "inventory", span_id="")
    made.started("charge", 20, "billing")
    found = steps(made.story())

    assert [(s.name, s.open, s.ended_ns) for s in found] == [
        ("reserve", False, at(10)),
        ("charge", True, None),
    ]
    [bar] = [bar for bar in segments(made.story(), found, at(99)) if bar.kind == "open"]
    assert (bar.row, bar.step, ms(bar.ended_ns)) == ("billing", "charge", 99)


def test_a_saga_of_a_batch_takes_only_its_own_steps() -> None:
    """Spans in its traces that name another saga are not its steps."""
    made = Made()
    made.step("reserve", 0, 10, "inventory")
    made.step("reserve", 20, 30, "inventory", saga__id="order-2")

    assert len(steps(made.story())) == 1


@pytest.mark.parametrize("outcome", ["completed", "compensated", "partially_compensated", "failed"])
def test_an_outcome_rules(outcome: str) -> None:
    """Whatever else is seen, the latest outcome is the state."""
    made = _compensated(outcome="failed")
    made.span("later", 90, 95, saga__outcome=outcome)

    assert _state(made, 1e9) == outcome


def test_without_outcome_the_steps_tell() -> None:
    """Silence makes a running saga stuck; a compensation makes it compensating."""
    made = Made()
    made.step("reserve", 0, 10, "inventory")
    assert [_state(made, now) for now in (20, 60_000, 60_011)] == ["running", "running", "stuck"]

    made.span("odd", 11, 12, saga__outcome="nonsense")
    assert _state(made, 20) == "running"

    made.started("undo reserve", 50, "inventory", undoes="reserve")
    assert _state(made, 60_011) == "compensating"


def test_another_sagas_outcome_in_a_batch_is_not_ours() -> None:
    """The event names its saga."""
    made = Made()
    span = made.span("batch", 0, 10)
    made.saga_id = "order-2"
    made.finish(span, "completed")
    made.saga_id = "order-1"

    assert _state(made, 20) == "running"


def test_the_ledger_of_a_compensated_saga() -> None:
    """What was done is paired with its undoing; what failed needs none."""
    story = _compensated().story()
    found = ledger(steps(story), "compensated")

    assert [(e.action.name, e.result) for e in found.entries if e.action] == [
        ("reserve", "compensated"),
        ("charge", "failed"),
    ]
    assert (found.partial, found.in_reverse) == (False, True)


def test_the_ledger_of_a_partly_compensated_saga() -> None:
    """A compensation that failed for good makes it partial."""
    story = _compensated("unavailable", "partially_compensated").story()
    found = ledger(steps(story), "partially_compensated")

    assert [entry.result for entry in found.entries] == ["compensation_failed", "failed"]
    assert found.partial


def test_what_should_have_been_undone_and_was_not_is_missing() -> None:
    """In a saga that goes on, or went well, the same action just stands."""
    made = Made()
    made.step("reserve", 0, 10, "inventory")
    found = steps(made.story())

    assert [ledger(found, s).entries[0].result for s in ("failed", "running", "completed")] == [
        "missing",
        "stands",
        "stands",
    ]


def test_the_ledger_tells_the_wrong_order_and_orphans() -> None:
    """Undoing first what was done first is seen, and an undoing of what was never seen."""
    made = Made()
    made.step("reserve", 0, 10, "inventory")
    made.step("charge", 20, 30, "billing")
    made.undo("reserve", 40, 45, "inventory")
    made.undo("charge", 50, 55, "billing")
    made.undo("ship", 60, 65, "shipping")
    found = ledger(steps(made.story()), "compensated")

    assert not found.in_reverse
    assert [entry.action for entry in found.entries][-1] is None


def test_each_repetition_has_its_own_compensation() -> None:
    """Done, undone, done again: the second stands."""
    made = Made()
    made.step("reserve", 0, 10, "inventory")
    made.undo("reserve", 20, 25, "inventory")
    made.step("reserve", 30, 40, "inventory")

    found = ledger(steps(made.story()), "running")
    assert [entry.result for entry in found.entries] == ["compensated", "stands"]


def test_the_timeline_has_queues_network_and_rejections_as_bars_of_their_own() -> None:
    """Rows are services; an order's queues lie between them."""
    made = order()
    step = made.step("refund", 200, 210, "billing", error="breaker_open")
    made.span("attempt", 202, 203, "billing", under=step, error="breaker_open")
    story = made.story()
    bars = segments(story, steps(story), at(300))

    queues = [(b.row, b.label, ms(b.started_ns), ms(b.ended_ns)) for b in bars if b.kind == "queue"]
    assert queues[0] == ("inventory", "inventory.commands", 10, 15)
    assert {b.step for b in bars if b.row == "billing" and b.kind == "network"} >= {
        "charge-payment"
    }
    assert [(b.label, b.step) for b in bars if b.kind == "rejected"] == [("attempt", "refund")]


def test_a_call_that_took_several_requests_is_on_the_network_at_its_ends_only() -> None:
    """The delivery of a webhook: what lies between two of its requests is none of the network's."""
    made = Made()
    delivery = made.span("deliver order.paid", 0, 100, "orders", "client")
    for start in (10, 80):
        made.span("POST /hooks", start, start + 10, "shipping", "server", under=delivery)
    story = made.story()
    bars = segments(story, steps(story), at(300))

    found = [(ms(b.started_ns), ms(b.ended_ns)) for b in bars if b.kind == "network"]
    assert found == [(0, 10), (90, 100)]


def test_a_row_is_made_of_traces_alone() -> None:
    """For sources that keep no index: id, name, state, step, services, errors, traces."""
    made = order()
    row = summarise("order-1", made.detail().traces, (), at(10_000))

    assert (row.name, row.state, row.step) == ("order", "completed", "charge-payment")
    assert row.services == ["bank", "billing", "inventory", "orders", "web"]
    assert (row.duration_s, row.errors, row.trace_ids) == (0.1, 0, [made.trace_id(1)])


def _undone(first: str, second: str, failed: str = "", outcome: str = "compensated") -> str:
    """What the ledger says of two actions undone in this order."""
    made = Made()
    made.step("reserve", 0, 10, "inventory")
    made.step("pack", 20, 30, "shipping")
    made.undo(first, 40, 45, "inventory")
    if second:
        made.undo(second, 50, 55, "inventory", error=failed)
    story = made.story()
    return sentence(ledger(steps(story), outcome), outcome)  # type: ignore[arg-type]


def test_the_ledgers_sentence() -> None:
    """How much was undone, in which order, and what should have been."""
    assert _undone("pack", "reserve") == "2 actions were undone, the last first."
    assert _undone("reserve", "pack") == "2 actions were undone, not in reverse order."
    assert _undone("pack", "reserve", failed="timeout") == (
        "Partially compensated: 1 action was undone; could not be undone: `reserve`."
    )
    assert _undone("pack", "") == (
        "Partially compensated: 1 action was undone; nothing undid `reserve`."
    )
    assert sentence(ledger((), "failed"), "failed") == "Nothing was undone."
    assert sentence(ledger((), "completed"), "completed") == "Nothing had to be undone."
    assert sentence(ledger((), "running"), "running") == "Nothing had to be undone so far."


def test_a_step_longer_than_usual_is_late() -> None:
    """Compared with 99 % of its kind, also while it lasts; a compensation has nothing usual."""
    usual = learn([order(f"o-{n}").story() for n in range(3)])
    made = Made()
    made.step("reserve-inventory", 0, 14, "inventory")
    made.undo("reserve-inventory", 20, 900, "inventory")
    made.started("charge-payment", 30, "billing")
    found = steps(made.story())

    assert [(p.step.name, p.took_s, p.late) for p in paces(found, usual, at(1_030))] == [
        ("reserve-inventory", 0.014, False),
        ("undo reserve-inventory", 0.88, False),
        ("charge-payment", 1.0, True),
    ]
    assert not any(pace.late for pace in paces(found, None, at(1_030)))


def test_a_row_has_the_steps_as_the_saga_has_them() -> None:
    """Attempts are one step, what is open has no end, and the last that failed is named."""
    made = _compensated("unavailable", outcome="")
    made.started("notify", 90, "mail")
    row = summarise("order-1", made.detail().traces, made.logs, at(100))

    assert [(s.name, s.kind, ms(s.started_ns), s.ended_ns, s.result) for s in row.steps] == [
        ("reserve", "action", 0, at(10), "ok"),
        ("charge", "action", 20, at(50), "error"),
        ("undo reserve", "compensation", 60, at(75), "error"),
        ("notify", "action", 90, None, "open"),
    ]
    assert (row.step, row.failed_step, row.retries) == ("notify", "undo reserve", 2)
    assert (ms(row.active_ns), row.duration_s) == (90, 0.1)
