"""What a row in the list of sagas says: steps, retries, times."""

from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.embedded import build
from tests.embedded.running import Client
from tests.embedded.sagas import at, saga

FAILED = Status(code=Status.STATUS_CODE_ERROR)


def _step(name: str, start: float, end: float, failed: bool = False, **more: Any) -> Span:
    more = {"step": name, "step_kind": "action", **more}
    span = saga("order-1", start, end, **more)
    if failed:
        span.status.CopyFrom(FAILED)
    return span


def _started(name: str, when: float, span_id: bytes = b"\x07" * 8) -> LogRecord:
    said = {"saga.id": "order-1", "saga.step": name, "saga.step.kind": "action"}
    return build.log(
        event_name="saga.step.started",
        attributes=said,
        time_unix_nano=at(when),
        span_id=span_id,
    )


def _row(client: Client) -> dict[str, Any]:
    [row] = client.data("/api/sagas")
    return dict(row)


def test_a_row_has_its_steps_in_order_with_results(client: Client) -> None:
    """Name, kind, exact times and how it went, of actions and compensations, open ones too."""
    undo = {"step_kind": "compensation", "compensates": "reserve"}
    client.send(build.logs([_started("notify", 9)]))
    client.send(build.traces([_step("charge", 3, 4, failed=True), _step("reserve", 1, 2)]))
    client.send(build.traces([_step("undo reserve", 5, 6, **undo)]))
    row = _row(client)

    assert [tuple(step.values()) for step in row["steps"]] == [
        ("reserve", "action", at(1), at(2), "ok"),
        ("charge", "action", at(3), at(4), "error"),
        ("undo reserve", "compensation", at(5), at(6), "ok"),
        ("notify", "action", at(9), None, "open"),
    ]
    assert (row["step"], row["failed_step"], row["retries"]) == ("notify", "charge", 0)
    assert (row["started_ns"], row["active_ns"]) == (at(1), at(9))


def test_a_begin_lost_in_a_crash_is_over_when_its_step_ends_later(client: Client) -> None:
    """The span of the first attempt never comes; the next one's tells how the step went."""
    client.send(build.logs([_started("charge", 0)]))
    client.send(build.traces([_step("charge", 5, 6)]))
    row = _row(client)

    assert [(step["started_ns"], step["result"]) for step in row["steps"]] == [(at(5), "ok")]


def test_a_step_tried_again_is_one_step_with_retries(client: Client) -> None:
    """The last attempt tells how it went; what had succeeded and is repeated is a step anew."""
    spans = [_step("charge", n, n + 0.5, failed=n < 2) for n in range(3)]
    client.send(build.traces([*reversed(spans), _step("charge", 3, 4), _step("ship", 5, 6)]))
    row = _row(client)

    assert [(step["started_ns"], step["ended_ns"]) for step in row["steps"]] == [
        (at(0), at(2.5)),
        (at(3), at(4)),
        (at(5), at(6)),
    ]
    assert {step["result"] for step in row["steps"]} == {"ok"}
    assert (row["retries"], row["failed_step"], row["step"]) == (2, None, "ship")


def test_attempts_of_calls_are_retries_once(client: Client) -> None:
    """An attempt that holds a step's attempt counts once; a call within a step counts too."""
    attempts = [saga("order-1", n, n + 1) for n in range(3)]
    for number, span in enumerate(attempts, start=1):
        span.attributes.extend(build.pairs({"otel_kit.retry.attempt": number}))
    client.send(build.traces([_step("charge", 0.1, 0.9, failed=True), attempts[0]]))
    client.send(build.traces([_step("charge", 1.1, 1.9), *attempts[1:]]))
    nonsense = saga("order-1", 5, 6)
    nonsense.attributes.extend(build.pairs({"otel_kit.retry.attempt": "again"}))
    client.send(build.traces([nonsense]))

    assert _row(client)["retries"] == 2


def test_a_saga_of_very_many_steps_shows_the_latest(client: Client) -> None:
    """A row stays small: 50 steps, and the failed one is named even if it is not among them."""
    steps = [_step(f"step {n}", n, n + 1, failed=n == 3) for n in range(120)]
    client.send(build.traces(steps))
    row = _row(client)

    assert [step["name"] for step in row["steps"]] == [f"step {n}" for n in range(70, 120)]
    assert row["failed_step"] == "step 3"


def test_a_saga_is_as_long_as_its_traces_in_whatever_order_they_arrive(client: Client) -> None:
    """A span that does not name the saga counts for the last activity, sent before or after."""
    for name, turn in (("a", 1), ("b", -1)):
        named = saga(name, 0, 1, outcome="completed")
        unnamed = build.span(
            trace_id=named.trace_id, start_time_unix_nano=at(1), end_time_unix_nano=at(7)
        )
        for span in (named, unnamed)[::turn]:
            client.send(build.traces([span]))

    rows = client.data("/api/sagas")
    assert [(row["active_ns"], row["duration_s"]) for row in rows] == [(at(7), 7.0)] * 2
