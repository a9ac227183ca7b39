"""The timeline's rows, lanes and bars: what is drawn of a saga, whatever its size."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.explorer.model import timeline as model
from otel_kit.explorer.model.critical_path import critical_path
from otel_kit.explorer.model.marks import MAX_MARKS, marks
from otel_kit.explorer.model.segments import Segment, segments
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.timeline import MAX_BARS, Timeline, Window, extent, timeline
from otel_kit.records import EventRecord, SagaDetail
from tests.explorer.building import MS, Made, at, ms, order
from tests.explorer.shapes import sagas

NOW = at(500)


def _of(made: Made, window: Window | None = None) -> Timeline:
    story = made.story()
    bars = segments(story, steps(story), NOW)
    whole = extent(bars, story.started_ns, story.ended_ns)
    return timeline(bars, window or whole, critical_path(story).pieces)


def _segment(start: float, end: float, row: str = "a", step: str = "") -> Segment:
    return Segment("work", row, step, "work", at(start), at(end), None)


def _names(drawn: Timeline) -> list[tuple[str, str]]:
    return [(row.service, row.step) for row in drawn.rows]


def test_rows_are_services_with_their_steps() -> None:
    """In order of first appearance; what is outside of any step is in the service's own row."""
    assert _names(_of(order())) == [
        ("web", ""),
        ("orders", ""),
        ("inventory", ""),
        ("inventory", "reserve-inventory"),
        ("billing", ""),
        ("billing", "charge-payment"),
        ("bank", ""),
    ]


def test_a_queue_wait_is_a_bar_on_the_consumers_row() -> None:
    """It begins with the sending and ends where the handling begins, in one lane with it."""
    [row] = [row for row in _of(order()).rows if (row.service, row.step) == ("billing", "")]
    queue, handling = row.lanes[0][:2]

    assert (queue.kind, ms(queue.started_ns), ms(queue.ended_ns)) == ("queue", 50, 60)
    assert (handling.kind, ms(handling.started_ns)) == ("work", 60)


def test_what_overlaps_lies_in_lanes_the_outer_above_the_inner() -> None:
    """And a lane that is free again is used again."""
    made = Made()
    made.span("inner", 2, 8)
    made.span("outer", 0, 10)
    made.span("next", 10, 20)
    [row] = _of(made).rows

    assert [[bar.longest.label for bar in lane] for lane in row.lanes] == [
        ["outer", "next"],
        ["inner"],
    ]


def test_neighbours_too_narrow_to_be_seen_become_one_bar() -> None:
    """It says how many there are, and looks closer where one zooms in."""
    made = Made()
    made.span("long", 0, 12_000)
    for number in range(10):
        made.span("short", 20_000 + number, 20_000 + number + 0.5)
    [row] = _of(made).rows
    [closer] = _of(made, (at(19_999), at(20_020))).rows

    assert [len(bar.segments) for bar in row.lanes[0]] == [1, 10]
    assert row.lanes[0][1].density == pytest.approx(0.5, abs=0.05)
    assert [len(bar.segments) for bar in closer.lanes[0]] == [1] * 10


def test_an_error_among_many_is_seen() -> None:
    """A merged bar with one is an error; a wait for what fails later is none."""
    made = Made()
    made.span("whole", 0, 60_000)
    made.span("short", 5, 6, "b")
    made.span("short", 7, 8, "b", error="timeout")
    fails = made.message("q", 30_000, 40_000, 50_000, ("a", "c"), error="timeout")
    drawn = _of(made)
    bars = {bar.kind: bar for row in drawn.rows if row.service == "c" for bar in row.lanes[0]}

    assert [bar.errors for row in drawn.rows if row.service == "b" for bar in row.lanes[0]] == [1]
    assert (bars["queue"].errors, bars["work"].errors) == (0, 1)
    assert bars["queue"].longest.span == (fails.trace_id, fails.span_id)


def test_a_window_keeps_the_rows_of_what_it_shows() -> None:
    """In their order; what ends before it or begins after it is left out."""
    drawn = _of(order(), (at(60), at(80)))

    assert _names(drawn) == [
        ("billing", ""),
        ("billing", "charge-payment"),
        ("bank", ""),
    ]
    assert all(bar.ended_ns >= at(60) and bar.started_ns <= at(80) for bar in drawn.bars)
    assert drawn.path[0].started_ns <= at(60)
    assert drawn.path[-1].ended_ns >= at(80)


def test_open_steps_run_to_now() -> None:
    """Also past the last span, and the window that shows all is that long."""
    made = Made()
    made.span("work", 0, 10)
    made.started("charge", 5, "billing")
    drawn = _of(made)
    [row] = [row for row in drawn.rows if row.service == "billing"]

    assert [(bar.kind, bar.ended_ns) for bar in row.lanes[0]] == [("open", NOW)]
    assert drawn.window == (at(0), NOW)


def test_any_number_of_rows_and_lanes_is_bounded() -> None:
    """Further rows are gathered in one that says how many, further lanes in the last one."""
    many = [_segment(0, 100, f"service {number}") for number in range(300)]
    deep = [_segment(number, 500, "deep") for number in range(50)]
    drawn = timeline([*deep, *many], (at(0), at(500)))

    assert len(drawn.rows) == model.MAX_ROWS + 1
    assert drawn.rows[-1].gathered == 301 - model.MAX_ROWS
    assert len(drawn.rows[0].lanes) == model.MAX_LANES
    assert len(drawn.rows[0].lanes[-1][0].segments) == 50 - model.MAX_LANES + 1
    assert sum(len(bar.segments) for bar in drawn.bars) == 350


def test_a_saga_of_ten_thousand_spans_is_fifteen_hundred_bars() -> None:
    """Or fewer, and none of its segments is lost."""
    spread = [
        _segment(number * 7, number * 7 + 3 + number % 5, f"s{number % 8}", f"step {number % 3}")
        for number in range(14_000)
    ]
    drawn = timeline(spread, (at(0), at(98_010)))

    assert MAX_BARS / 3 < len(list(drawn.bars)) <= MAX_BARS
    assert sum(len(bar.segments) for bar in drawn.bars) == len(spread)
    assert max(bar.ended_ns - bar.started_ns for bar in drawn.bars) < 98_010 * MS / 20


def _is_shown(segment: Segment, window: Window) -> bool:
    return segment.started_ns <= window[1] and segment.ended_ns >= window[0]


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(
            _segment,
            st.integers(0, 900),
            st.integers(900, 2000) | st.integers(0, 0),
            st.sampled_from("abcd"),
            st.sampled_from(["", "x", "y"]),
        ).map(lambda s: s if s.ended_ns >= s.started_ns else _segment(ms(s.started_ns), 1000)),
        max_size=60,
    ),
    st.integers(0, 1000),
    st.integers(1, 1_000_000),
)
def test_whatever_is_drawn_is_all_there_in_order(
    given_: list[Segment], first: int, length: int
) -> None:
    """Nothing overlaps in a lane, all segments are accounted for, bounds hold, in order of time."""
    window = (at(first), at(first + length))
    found = sorted(given_, key=lambda segment: segment.started_ns)
    _check(timeline(found, window), found)


@settings(max_examples=150)
@given(sagas())
def test_a_saga_of_any_shape_can_be_drawn(detail: SagaDetail) -> None:
    """Broken, circular or nonsense."""
    story = stitch(detail, correct_skew=True)
    found = segments(story, steps(story), NOW)
    path = critical_path(story)
    drawn = timeline(found, extent(found, story.started_ns, story.ended_ns), path.pieces)

    _check(drawn, found)
    assert sum(len(bar.segments) for bar in drawn.bars) == len(found)
    assert [p for stretch in drawn.path for p in stretch.pieces] == list(path.pieces)
    assert {mark.span for mark in marks(story)} <= set(story.spans)


def _check(drawn: Timeline, found: list[Segment] | tuple[Segment, ...]) -> None:
    shown = [segment for segment in found if _is_shown(segment, drawn.window)]
    drawn_ids = [id(segment) for bar in drawn.bars for segment in bar.segments]

    assert sorted(drawn_ids) == sorted(map(id, shown))
    assert len(list(drawn.bars)) <= MAX_BARS
    for row in drawn.rows:
        assert 0 < len(row.lanes) <= model.MAX_LANES
        for lane in row.lanes:
            assert all(one.ended_ns <= next_.started_ns for one, next_ in pairwise(lane))
            for bar in lane:
                assert bar.started_ns == min(segment.started_ns for segment in bar.segments)
                assert bar.ended_ns == max(segment.ended_ns for segment in bar.segments)
                assert 0 <= bar.density <= 1
                assert all(
                    row.gathered or (each.row, each.step) == (row.service, row.step)
                    for each in bar.segments
                )


# -- marks -----------------------------------------------------------------------------------------


def _marks(story: Story) -> list[tuple[str, str]]:
    return [(mark.kind, mark.sentence) for mark in marks(story)]


def test_moments_that_matter_are_marked() -> None:
    """A breaker's change, what was put aside or skipped, a lost context, the end; by time."""
    made = order()
    call = made.span("charge", 20, 30, "billing", otel_kit__dead_letter="unavailable")
    made.span("again", 12, 14, "billing", otel_kit__duplicate=True)
    made.span("lost", 70, 72, "audit", parent_id="f" * 16)
    changed = {"name": "bank", "from": "half_open", "to": "open"}
    call.events.append(EventRecord(at(25), "otel_kit.circuit_breaker.transition", changed))  # type: ignore[attr-defined]  # a list here

    assert _marks(made.story()) == [
        ("duplicate", "delivered twice, skipped this time"),
        ("breaker", "the breaker `bank` went from half open to open"),
        ("dead_letter", "put aside as a dead letter: unavailable"),
        ("missing", made.story().gaps[0].sentence),
        ("outcome", "the saga finished: completed"),
    ]


def test_marks_are_bounded() -> None:
    """The first of very many."""
    made = Made()
    for number in range(MAX_MARKS + 10):
        made.span("again", number, number + 1, otel_kit__duplicate=True)

    assert len(marks(made.story())) == MAX_MARKS
