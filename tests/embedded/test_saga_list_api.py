"""The list of sagas: what a row says, filters, orders, pages, counts and names."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.embedded import build
from tests.embedded.build import SECOND
from tests.embedded.running import Client, collector

DAY = 24 * 3600
NOON = 1_700_000_000
FAILED = Status(code=Status.STATUS_CODE_ERROR)


def _saga(saga: str, start: float = 0, end: float = 1, name: str = "order", **more: Any) -> Span:
    """A span that names the saga, between seconds after noon; `more` are its saga attributes."""
    said = {f"saga.{key.replace('_', '.')}": value for key, value in more.items()}
    return build.span(
        attributes={"saga.id": saga, "saga.name": name, **said},
        start_time_unix_nano=_at(start),
        end_time_unix_nano=_at(end),
    )


def _at(seconds: float) -> int:
    return NOON * SECOND + round(seconds * SECOND)


def _step(name: str, start: float, end: float, failed: bool = False, **more: Any) -> Span:
    more = {"step": name, "step_kind": "action", **more}
    span = _saga("order-1", start, end, **more)
    if failed:
        span.status.CopyFrom(FAILED)
    return span


def _started(name: str, at: float, span_id: bytes = b"\x07" * 8) -> LogRecord:
    said = {"saga.id": "order-1", "saga.step": name, "saga.step.kind": "action"}
    return build.log(
        event_name="saga.step.started",
        attributes=said,
        time_unix_nano=_at(at),
        span_id=span_id,
    )


def _ids(client: Client, **params: Any) -> list[str]:
    return [row["id"] for row in client.data("/api/sagas", **params)]


def _row(client: Client) -> dict[str, Any]:
    [row] = client.data("/api/sagas")
    return dict(row)


# -- rows -------------------------------------------------------------------------------------


def test_a_row_has_its_steps_in_order_with_results(client: Client) -> None:
    """Name, kind, exact times and how it went, of actions and compensations, open ones too."""
    undo = {"step_kind": "compensation", "compensates": "reserve"}
    client.send(build.logs([_started("notify", 9)]))
    client.send(build.traces([_step("charge", 3, 4, failed=True), _step("reserve", 1, 2)]))
    client.send(build.traces([_step("undo reserve", 5, 6, **undo)]))
    row = _row(client)

    assert [tuple(step.values()) for step in row["steps"]] == [
        ("reserve", "action", _at(1), _at(2), "ok"),
        ("charge", "action", _at(3), _at(4), "error"),
        ("undo reserve", "compensation", _at(5), _at(6), "ok"),
        ("notify", "action", _at(9), None, "open"),
    ]
    assert (row["step"], row["failed_step"], row["retries"]) == ("notify", "charge", 0)
    assert (row["started_ns"], row["active_ns"]) == (_at(1), _at(9))


def test_a_step_tried_again_is_one_step_with_retries(client: Client) -> None:
    """The last attempt tells how it went; what had succeeded and is repeated is a step anew."""
    spans = [_step("charge", n, n + 0.5, failed=n < 2) for n in range(3)]
    client.send(build.traces([*reversed(spans), _step("charge", 3, 4), _step("ship", 5, 6)]))
    row = _row(client)

    assert [(step["started_ns"], step["ended_ns"]) for step in row["steps"]] == [
        (_at(0), _at(2.5)),
        (_at(3), _at(4)),
        (_at(5), _at(6)),
    ]
    assert {step["result"] for step in row["steps"]} == {"ok"}
    assert (row["retries"], row["failed_step"], row["step"]) == (2, None, "ship")


def test_attempts_of_calls_are_retries_once(client: Client) -> None:
    """An attempt that holds a step's attempt counts once; a call within a step counts too."""
    attempts = [_saga("order-1", n, n + 1) for n in range(3)]
    for number, span in enumerate(attempts, start=1):
        span.attributes.extend(build.pairs({"otel_kit.retry.attempt": number}))
    client.send(build.traces([_step("charge", 0.1, 0.9, failed=True), attempts[0]]))
    client.send(build.traces([_step("charge", 1.1, 1.9), *attempts[1:]]))
    nonsense = _saga("order-1", 5, 6)
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
    for saga, turn in (("a", 1), ("b", -1)):
        named = _saga(saga, 0, 1, outcome="completed")
        unnamed = build.span(
            trace_id=named.trace_id, start_time_unix_nano=_at(1), end_time_unix_nano=_at(7)
        )
        for span in (named, unnamed)[::turn]:
            client.send(build.traces([span]))

    rows = client.data("/api/sagas")
    assert [(row["active_ns"], row["duration_s"]) for row in rows] == [(_at(7), 7.0)] * 2


# -- filters ----------------------------------------------------------------------------------


def test_the_list_is_narrowed_by_time(client: Client) -> None:
    """From `started_after` on, until just before `started_before`; exactly, in nanoseconds."""
    client.send(build.traces([_saga(f"o-{n}", n, n + 1) for n in range(4)]))

    assert _ids(client, started_after=NOON + 1, started_before=NOON + 3) == ["o-2", "o-1"]
    assert _ids(client, started_after=NOON + 1.5) == ["o-3", "o-2"]
    assert _ids(client, started_after_ns=_at(2)) == ["o-3", "o-2"]
    assert _ids(client, started_after_ns=_at(2) + 1) == ["o-3"]
    assert _ids(client, started_before_ns=_at(1)) == ["o-0"]
    assert _ids(client, started_before="1.7e9") == []


def test_the_list_is_narrowed_by_duration(client: Client) -> None:
    """A finished saga lasts to its end, any other until now."""
    done = [_saga(f"o-{n}", 0, n, outcome="completed") for n in (1, 2, 3)]
    running = build.span(attributes={"saga.id": "running"}, seconds_ago=DAY)
    client.send(build.traces([*done, running]))

    assert _ids(client, least_s=2, most_s=3) == ["o-3", "o-2"]
    assert _ids(client, most_s=1.5) == ["o-1"]
    assert _ids(client, least_s=DAY, most_s=DAY + 600) == ["running"]


def test_several_states_can_be_asked_for(client: Client) -> None:
    """With commas or repeated."""
    ends = ("completed", "failed", "compensated")
    client.send(build.traces([_saga(end, outcome=end) for end in ends]))
    params = [("state", "failed"), ("state", "compensated,stuck")]
    answer = client.http.get(f"{client.query_url}/api/sagas", params=params)

    assert {row["id"] for row in answer.json()["data"]} == {"failed", "compensated"}
    assert set(_ids(client, state="completed,failed")) == {"completed", "failed"}


@pytest.mark.parametrize("path", ["/api/sagas", "/api/saga_counts"])
@pytest.mark.parametrize(
    "params",
    [
        {"started_after": "yesterday"},
        {"started_before": "-1"},
        {"started_before": "1e10"},
        {"least_s": "nan"},
        {"most_s": "1e999"},
        {"least_s": "0x10"},
        {"started_after_ns": "1.5"},
        {"started_after_ns": str(2**63)},
        {"started_after": "1", "started_after_ns": "1000000000"},
        {"q": "x" * 257},
        {"name": "a\x00b"},
    ],
    ids=str,
)
def test_a_filter_that_makes_no_sense_gets_a_reason(
    client: Client, path: str, params: dict[str, str]
) -> None:
    """400 with one sentence that names the parameter."""
    answer = client.get(path, **params)

    assert answer.status_code == 400
    assert next(iter(params)) in answer.json()["error"]


@pytest.mark.parametrize("params", [{"state": "failed,lost"}, {"sort": "stale"}])
def test_unknown_states_and_orders_are_refused_with_those_known(
    client: Client, params: dict[str, str]
) -> None:
    """The reason lists what there is."""
    answer = client.get("/api/sagas", **params)

    assert answer.status_code == 400
    assert "must be one of" in answer.json()["error"]


# -- orders and pages ---------------------------------------------------------------------------


def test_the_stalest_are_those_in_progress_quiet_the_longest_first(client: Client) -> None:
    """Running, stuck and compensating sagas by their last activity; none that has ended."""
    undo = {"step": "undo", "step_kind": "compensation"}
    client.send(build.traces([_saga("compensating", 0, 5, **undo), _saga("stuck", 3, 4)]))
    client.send(build.traces([build.span(attributes={"saga.id": "running"})]))
    client.send(build.traces([_saga("old", 0, 9), _saga("done", 0, 1, outcome="failed")]))

    assert _ids(client, sort="stalest") == ["stuck", "compensating", "old", "running"]
    assert _ids(client, sort="stalest", state="stuck") == ["stuck", "old"]
    assert _ids(client, sort="stalest", state="failed") == []


_KEYS = {"-started": "started_ns", "started": "started_ns", "stalest": "active_ns"}
_times = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=8)


def test_pages_show_every_saga_once_while_more_arrive() -> None:
    """In each order, whatever the times and the size of a page: none skipped, none repeated."""
    with collector() as client:
        number = iter(range(10**9))

        @settings(max_examples=25, deadline=None)
        @given(
            st.sampled_from(sorted(_KEYS)),
            st.integers(1, 4),
            _times.filter(bool),
            st.lists(_times, max_size=5),
        )
        def pages(
            sort: str, size: int, first: list[tuple[int, int]], later: list[list[tuple[int, int]]]
        ) -> None:
            name = f"example {next(number)}"
            before = _send(client, name, "before", first)
            rows: list[dict[str, Any]] = []
            for place, page in enumerate(_pages(client, name=name, sort=sort, limit=size)):
                rows += page
                _send(client, name, f"between {place}", later[place] if place < len(later) else [])

            ids, keys = [row["id"] for row in rows], [row[_KEYS[sort]] for row in rows]
            assert len(set(ids)) == len(ids)
            assert before <= set(ids)
            assert keys == sorted(keys, reverse=sort == "-started")

        pages()


def _send(client: Client, name: str, when: str, times: list[tuple[int, int]]) -> set[str]:
    """Sagas in progress that start and last as `times` say; returns their ids."""
    ids = [f"{name} {when} {place}" for place in range(len(times))]
    spans = [
        _saga(saga, start, start + length, name)
        for saga, (start, length) in zip(ids, times, strict=True)
    ]
    client.send(build.traces(spans))
    return set(ids)


def _pages(client: Client, **params: Any) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/sagas", cursor=cursor, **params).json()
        yield page["data"]
        cursor = page["next"]


# -- counts and names ---------------------------------------------------------------------------


def test_sagas_are_counted_by_state(client: Client) -> None:
    """Every state has its number, zero too, of all sagas or of those that fit the filters."""
    ends = ("completed", "completed", "failed", "")
    client.send(build.traces([_saga(f"o-{n}", n, outcome=end) for n, end in enumerate(ends)]))
    client.send(build.traces([_saga("x", 9, name="refund", outcome="failed")], "billing"))

    def counts(**params: Any) -> dict[str, int]:
        answer = client.get("/api/saga_counts", **params).json()
        assert answer["next"] is None
        return {row["state"]: row["count"] for row in answer["data"]}

    none = dict.fromkeys(
        ("running", "stuck", "completed", "compensating", "compensated",
         "partially_compensated", "failed"), 0
    )  # fmt: skip
    assert counts() == none | {"completed": 2, "failed": 2, "stuck": 1}
    assert counts(state="failed", q="o-") == none | {"completed": 2, "failed": 1, "stuck": 1}
    assert counts(name="refund") == counts(service="billing") == none | {"failed": 1}
    assert counts(started_after=NOON + 1, started_before=NOON + 3) == none | {
        "completed": 1,
        "failed": 1,
    }
    assert counts(q="absent") == none


def test_names_of_sagas_are_listed_page_by_page(client: Client) -> None:
    """Each once, sorted; a saga that says no name adds none."""
    given = ("refund", "order", "order", "", "Åland")
    client.send(build.traces([_saga(f"o-{n}", name=name) for n, name in enumerate(given)]))
    page = client.get("/api/saga_names", limit=2).json()
    rest = client.get("/api/saga_names", limit=2, cursor=page["next"]).json()

    assert [row["name"] for row in page["data"] + rest["data"]] == ["order", "refund", "Åland"]
    assert rest["next"] is None
    assert client.get("/api/saga_names", cursor="abc").status_code == 400


@pytest.mark.parametrize("saga", ["counts", "names", "saga_counts"])
def test_no_saga_is_hidden_by_another_path(client: Client, saga: str) -> None:
    """Whatever a saga is called, it can be asked for."""
    client.send(build.traces([_saga(saga)]))

    assert client.data(f"/api/sagas/{saga}")[0]["id"] == saga
