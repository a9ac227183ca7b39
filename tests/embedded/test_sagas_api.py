"""Sagas: state, step, stitching over traces, pages, and logs."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.embedded import build
from tests.embedded.running import Client, collector

FAILED = Status(code=Status.STATUS_CODE_ERROR)


def _attributes(saga: str = "order-1", **more: str) -> dict[str, str]:
    return {"saga.id": saga, "saga.name": "order"} | {
        f"saga.{key.replace('_', '.')}": value for key, value in more.items()
    }


def _step(name: str, kind: str = "action", **fields: Any) -> Span:
    attributes = _attributes(step=name, step_kind=kind)
    return build.span(name, attributes=attributes, **fields)


def _started(name: str, kind: str = "action", saga: str = "order-1", **fields: Any) -> Any:
    attributes = _attributes(saga, step=name, step_kind=kind)
    return build.log(event_name="saga.step.started", attributes=attributes, **fields)


def _row(client: Client, saga: str = "order-1") -> dict[str, Any]:
    [row] = client.data(f"/api/sagas/{saga}")
    return row


def test_a_saga_is_stitched_over_all_traces_that_name_it(client: Client) -> None:
    """A saga has every span of each trace with a span of it, also those that do not name it."""
    first, second = b"\x01" * 16, b"\x02" * 16
    root = build.span("POST /orders", first, seconds_ago=3)
    client.send(build.traces([root], "web"))
    client.send(build.traces([build.span(trace_id=first, attributes=_attributes(), seconds_ago=3)]))
    bank = build.span("charge", second, status=FAILED)
    client.send(build.traces([build.span(trace_id=second, attributes=_attributes())], "billing"))
    client.send(build.traces([bank], "bank"))
    client.send(build.traces([build.span("elsewhere")], "other"))
    row = _row(client)
    spans = [span for trace in row["traces"] for span in trace["spans"]]

    assert [trace["trace_id"] for trace in row["traces"]] == [first.hex(), second.hex()]
    assert row["trace_ids"] == [first.hex(), second.hex()]
    assert row["services"] == ["bank", "billing", "orders", "web"]
    assert (row["name"], row["errors"], row["truncated"]) == ("order", 1, False)
    assert len(spans) == 4
    assert {"POST /orders", "charge"} < {span["name"] for span in spans}
    assert spans[-1]["attributes"] in ({}, _attributes())


def test_a_span_is_answered_with_all_it_has(client: Client) -> None:
    """A saga's spans carry attributes, events, links, resource, kind, status and times."""
    span = build.span(
        "work",
        kind=Span.SPAN_KIND_CONSUMER,
        attributes={**_attributes(), "n": 1},
        events=[Span.Event(name="event", time_unix_nano=5, attributes=build.pairs({"a": True}))],
        links=[Span.Link(trace_id=b"\x03" * 16, span_id=b"\x04" * 8)],
        status=FAILED,
    )
    client.send(build.traces([span]))
    [stored] = _row(client)["traces"][0]["spans"]

    assert stored["attributes"] == {**_attributes(), "n": 1}
    assert stored["events"] == [{"time_ns": 5, "name": "event", "attributes": {"a": True}}]
    assert stored["links"] == [{"trace_id": "03" * 16, "span_id": "04" * 8, "attributes": {}}]
    assert stored["resource"] == {"service.name": "orders"}
    assert (stored["kind"], stored["status"], stored["service"]) == ("consumer", "error", "orders")
    assert stored["duration_s"] == 0.005
    assert stored["ended_ns"] == span.end_time_unix_nano


@pytest.mark.parametrize(
    ("spans", "state"),
    [
        (lambda: [_step("reserve")], "running"),
        (lambda: [_step("reserve", seconds_ago=61)], "stuck"),
        (lambda: [_step("reserve"), _step("undo reserve", "compensation")], "compensating"),
        (lambda: [build.span(attributes=_attributes(outcome="completed"))], "completed"),
        (lambda: [build.span(attributes=_attributes(outcome="failed"), seconds_ago=99)], "failed"),
        (
            lambda: [
                _step("undo reserve", "compensation"),
                build.span(attributes=_attributes(outcome="compensated"), seconds_ago=9),
            ],
            "compensated",
        ),
        (lambda: [build.span(attributes=_attributes(outcome="nonsense"))], "running"),
        (
            lambda: [
                build.span(attributes=_attributes(outcome="failed"), seconds_ago=9),
                build.span(attributes=_attributes(outcome="partially_compensated")),
            ],
            "partially_compensated",
        ),
    ],
    ids=[
        "running",
        "stuck",
        "compensating",
        "completed",
        "failed",
        "compensated",
        "nonsense",
        "partial",
    ],
)
def test_the_state_is_inferred(client: Client, spans: Callable[[], list[Span]], state: str) -> None:
    """The latest outcome rules, then a compensation, then quiet for 60 s is stuck, else running."""
    for span in reversed(spans()):
        client.send(build.traces([span]))

    assert _row(client)["state"] == state
    assert [row["state"] for row in client.data("/api/sagas", state=state)] == [state]


def test_an_outcome_in_a_finished_event_counts_for_the_saga_it_names(client: Client) -> None:
    """One span may finish several sagas: each saga.finished event names its own."""
    events = [
        Span.Event(
            name="saga.finished",
            time_unix_nano=2**62,
            attributes=build.pairs({"saga.id": f"order-{n}", "saga.outcome": outcome}),
        )
        for n, outcome in ((1, "completed"), (2, "failed"))
    ]
    client.send(build.traces([build.span(events=events)]))

    assert _row(client, "order-1")["state"] == "completed"
    assert _row(client, "order-2")["state"] == "failed"


def test_how_long_quiet_means_stuck_is_a_setting() -> None:
    """A saga quiet for longer than stuck_after seconds is stuck."""
    with collector(stuck_after=5.0) as client:
        client.send(build.traces([_step("reserve", seconds_ago=6)]))
        assert _row(client)["state"] == "stuck"


def test_a_late_span_without_saga_attributes_keeps_the_saga_active(client: Client) -> None:
    """Activity in a trace of the saga counts as the saga's."""
    trace = b"\x05" * 16
    client.send(build.traces([_step("reserve", trace_id=trace, seconds_ago=100)]))
    client.send(build.traces([build.span(trace_id=trace)], "bank"))

    assert _row(client)["state"] == "running"


def test_the_step_is_the_one_in_progress_else_the_last(client: Client) -> None:
    """A step that started and has no span yet is current; when it ends, the last one is shown."""
    charge = _step("charge", seconds_ago=0)
    at = charge.start_time_unix_nano
    client.send(build.traces([_step("reserve", seconds_ago=1)]))
    assert _row(client)["step"] == "reserve"

    client.send(build.logs([_started("charge", span_id=charge.span_id, time_unix_nano=at)]))
    client.send(build.traces([_step("notify", seconds_ago=-1)]))
    assert _row(client)["step"] == "charge"

    client.send(build.traces([charge]))
    assert _row(client)["step"] == "notify"


def test_a_step_event_without_span_id_is_ended_by_the_steps_span(client: Client) -> None:
    """A start event outside any span is matched by the step's name."""
    client.send(build.logs([_started("charge", time_unix_nano=1)]))
    assert _row(client)["step"] == "charge"
    client.send(build.traces([_step("charge"), _step("notify")]))

    assert _row(client)["step"] in ("charge", "notify")
    client.send(build.traces([_step("ship", seconds_ago=-2)]))
    assert _row(client)["step"] == "ship"


def test_a_saga_is_known_from_its_events_alone(client: Client) -> None:
    """A saga whose spans have not ended yet shows with its step and without traces."""
    client.send(build.logs([_started("reserve")]))
    row = _row(client)

    assert (row["state"], row["step"], row["traces"]) == ("running", "reserve", [])
    assert [log["event_name"] for log in row["logs"]] == ["saga.step.started"]


def test_logs_are_found_by_trace_and_by_saga(client: Client) -> None:
    """Log records are found by their trace and by the saga they name, in order, page by page."""
    trace = b"\x06" * 16
    of_trace = [build.log(f"{n}", trace_id=trace, time_unix_nano=n) for n in range(5)]
    client.send(build.logs([*of_trace, _started("reserve"), build.log("noise")]))
    client.send(build.traces([build.span(trace_id=trace, attributes=_attributes())]))

    assert [log["body"] for log in client.data("/api/logs", trace_id=trace.hex())] == list("01234")
    assert len(client.data("/api/logs", saga_id="order-1")) == 1
    assert len(_row(client)["logs"]) == 6

    page = client.get("/api/logs", trace_id=trace.hex(), limit=3).json()
    rest = client.get("/api/logs", trace_id=trace.hex(), limit=3, cursor=page["next"]).json()
    assert [log["body"] for log in page["data"] + rest["data"]] == list("01234")
    assert rest["next"] is None


def test_the_list_filters_by_name_service_and_part_of_the_id(client: Client) -> None:
    """Name, service and a part of the id each narrow the list of sagas."""
    client.send(build.traces([build.span(attributes=_attributes("order-1"))], "orders"))
    client.send(build.traces([build.span(attributes={"saga.id": "refund-1"})], "billing"))

    def ids(**params: str) -> list[str]:
        return sorted(row["id"] for row in client.data("/api/sagas", **params))

    assert ids() == ["order-1", "refund-1"]
    assert ids(name="order") == ["order-1"]
    assert ids(service="billing") == ["refund-1"]
    assert ids(q="-1") == ["order-1", "refund-1"]
    assert ids(q="fund") == ["refund-1"]
    assert ids(q="%") == []
    assert ids(service="absent") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/sagas/unknown", 404),
        (f"/api/sagas/{'x' * 257}", 400),
        ("/api/sagas/a%00b", 400),
        ("/api/sagas?state=lost", 400),
        ("/api/sagas?sort=name", 400),
        ("/api/sagas?limit=-1", 400),
        ("/api/sagas?cursor=abc", 400),
        ("/api/sagas?cursor=WyJhIiwgMV0", 400),
        ("/api/logs", 400),
        ("/api/logs?trace_id=zz", 400),
        ("/api/logs?trace_id=1&cursor=W10", 400),
        ("/api/edges?cursor=W10", 400),
    ],
)
def test_bad_requests_get_a_reason(client: Client, path: str, status: int) -> None:
    """Unknown ids are 404 and senseless parameters 400, both with a reason."""
    answer = client.get(path)

    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("saga", ["order/17", "å ∆", "a?b#c", "x" * 256, "' OR 1=1 --"])
def test_any_printable_id_can_be_asked_for(client: Client, saga: str) -> None:
    """A saga id may hold slashes, spaces and any letters."""
    client.send(build.traces([build.span(attributes=_attributes(saga))]))
    [row] = client.data(f"/api/sagas/{quote(saga, safe='')}")
    assert row["id"] == saga


def test_an_id_too_long_to_index_leaves_the_span_stored(client: Client) -> None:
    """A saga id over 256 characters makes no saga and loses no span."""
    span = build.span(attributes=_attributes("x" * 257))
    client.send(build.traces([span]))

    assert client.data("/api/sagas") == []
    assert client.get(f"/api/traces/{span.trace_id.hex()}").status_code == 200
