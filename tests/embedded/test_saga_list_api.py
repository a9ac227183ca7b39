"""The list of sagas: filters, orders, pages, counts and names."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.embedded import build
from tests.embedded.running import Client, collector
from tests.embedded.sagas import NOON, at, saga

DAY = 24 * 3600


def _ids(client: Client, **params: Any) -> list[str]:
    return [row["id"] for row in client.data("/api/sagas", **params)]


# -- filters ----------------------------------------------------------------------------------


def test_the_list_is_narrowed_by_time(client: Client) -> None:
    """From `started_after` on, until just before `started_before`; exactly, in nanoseconds."""
    client.send(build.traces([saga(f"o-{n}", n, n + 1) for n in range(4)]))

    assert _ids(client, started_after=NOON + 1, started_before=NOON + 3) == ["o-2", "o-1"]
    assert _ids(client, started_after=NOON + 1.5) == ["o-3", "o-2"]
    assert _ids(client, started_after_ns=at(2)) == ["o-3", "o-2"]
    assert _ids(client, started_after_ns=at(2) + 1) == ["o-3"]
    assert _ids(client, started_before_ns=at(1)) == ["o-0"]
    assert _ids(client, started_before="1.7e9") == []


def test_the_list_is_narrowed_by_duration(client: Client) -> None:
    """A finished saga lasts to its end, any other until now."""
    done = [saga(f"o-{n}", 0, n, outcome="completed") for n in (1, 2, 3)]
    running = build.span(attributes={"saga.id": "running"}, seconds_ago=DAY)
    client.send(build.traces([*done, running]))

    assert _ids(client, least_s=2, most_s=3) == ["o-3", "o-2"]
    assert _ids(client, most_s=1.5) == ["o-1"]
    assert _ids(client, least_s=DAY, most_s=DAY + 600) == ["running"]


def test_several_states_can_be_asked_for(client: Client) -> None:
    """With commas or repeated."""
    ends = ("completed", "failed", "compensated")
    client.send(build.traces([saga(end, outcome=end) for end in ends]))
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
    client.send(build.traces([saga("compensating", 0, 5, **undo), saga("stuck", 3, 4)]))
    client.send(build.traces([build.span(attributes={"saga.id": "running"})]))
    client.send(build.traces([saga("old", 0, 9), saga("done", 0, 1, outcome="failed")]))

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
        saga(each, start, start + length, name)
        for each, (start, length) in zip(ids, times, strict=True)
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
    client.send(build.traces([saga(f"o-{n}", n, outcome=end) for n, end in enumerate(ends)]))
    client.send(build.traces([saga("x", 9, name="refund", outcome="failed")], "billing"))

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
    client.send(build.traces([saga(f"o-{n}", name=name) for n, name in enumerate(given)]))
    page = client.get("/api/saga_names", limit=2).json()
    rest = client.get("/api/saga_names", limit=2, cursor=page["next"]).json()

    assert [row["name"] for row in page["data"] + rest["data"]] == ["order", "refund", "Åland"]
    assert rest["next"] is None
    assert client.get("/api/saga_names", cursor="abc").status_code == 400


@pytest.mark.parametrize("name", ["counts", "names", "saga_counts"])
def test_no_saga_is_hidden_by_another_path(client: Client, name: str) -> None:
    """Whatever a saga is called, it can be asked for."""
    client.send(build.traces([saga(name)]))

    assert client.data(f"/api/sagas/{name}")[0]["id"] == name
