"""The timeline as a figure, and its axis of time."""

from typing import Any

import plotly.graph_objects as go
import pytest

from otel_kit.explorer.charts import timeline as chart
from otel_kit.explorer.charts.palette import DARK, LIGHT, Palette
from otel_kit.explorer.charts.time_axis import clock, exact, ticks
from otel_kit.explorer.charts.timeline import Clicked
from otel_kit.explorer.model.critical_path import critical_path
from otel_kit.explorer.model.marks import marks
from otel_kit.explorer.model.segments import segments
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.timeline import Window, extent, timeline
from tests.explorer.building import Made, at, order

NOW = at(500)


def _draw(
    made: Made, palette: Palette = LIGHT, window: Window | None = None, **options: Any
) -> go.Figure:
    story = made.story()
    bars = segments(story, steps(story), NOW)
    whole = extent(bars, story.started_ns, story.ended_ns)
    drawn = timeline(bars, window or whole, critical_path(story).pieces)
    return chart.draw(story, drawn, palette, marks=marks(story), **options)


def _legend(figure: go.Figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.name]


def _trace(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_legend_has_the_kinds_that_occur_in_their_colours(palette: Palette) -> None:
    """And no other."""
    figure = _draw(order(), palette)

    assert _legend(figure) == ["work", "queue wait", "network", "event"]
    assert set(_trace(figure, "queue wait").marker.color) == {palette.kinds["queue"] + "ff"}


def test_compensations_errors_and_open_steps_have_looks_of_their_own() -> None:
    """A colour, a red frame, and hatching."""
    made = Made()
    made.step("charge", 0, 100, "billing", error="declined")
    made.undo("charge", 200, 300, "billing")
    made.started("ship", 350, "shipping")
    figure = _draw(made)

    assert _legend(figure) == ["work", "not ended", "compensation", "error"]
    assert list(_trace(figure, "compensation").marker.color) == [LIGHT.compensation + "ff"]
    assert _trace(figure, "not ended").marker.pattern.shape == "/"
    assert list(_trace(figure, "work").marker.line.color) == [LIGHT.error]
    assert _trace(figure, "work").marker.line.width[0] > 0


def test_bars_stand_at_milliseconds_since_the_start() -> None:
    """With a width that can be seen, however short they are."""
    queue = _trace(_draw(order()), "queue wait")
    instant = Made()
    instant.span("all", 0, 100_000)
    instant.span("instant", 5, 5, "b")

    assert sorted(zip(queue.base, queue.x, strict=True))[:2] == [(10, 5), (32, 13)]
    assert min(_trace(_draw(instant), "work").x) > 50


def test_pointing_at_a_bar_tells_facts() -> None:
    """Name, service, step, how long, when in UTC, error and other side."""
    made = order()
    made.step("<b>refund</b>", 90, 92.5, "billing", error="declined")
    figure = _draw(made)
    [queue] = [text for text in _trace(figure, "queue wait").hovertext if "inventory.c" in text]
    failed = [text for text in _trace(figure, "work").hovertext if "refund" in text]

    assert queue.startswith("<b>inventory.commands</b><br>inventory<br>waiting in a queue")
    assert "took <b>5 ms</b>" in queue
    assert "sent by: orders" in queue
    assert "at 10 ms · 2027-01-15 08:00:00.010000 UTC" in queue
    assert failed[0].startswith("<b>&lt;b&gt;refund&lt;/b&gt;</b><br>billing · step &lt;b&gt;")
    assert "<b>error: declined</b>" in failed[0]


def test_pointing_at_many_tells_how_many_and_what_failed() -> None:
    """And that a click looks closer."""
    made = Made()
    made.span("all", 0, 100_000)
    for number in range(5):
        made.span("short", 10 + 2 * number, 11 + 2 * number, "b", error="timeout")
    [text] = [text for text in _trace(_draw(made), "work").hovertext if "too narrow" in text]

    assert text.startswith("<b>5 bars</b>")
    assert "errors: timeout 5×" in text
    assert "look closer" in text


def test_a_bar_of_many_is_the_fainter_the_more_is_between_them() -> None:
    """The frame of an error is not."""
    made = Made()
    made.span("all", 0, 100_000)
    for number in range(5):
        made.span("short", 10 + 20 * number, 11 + 20 * number, "b", error="timeout")
    marker = _trace(_draw(made), "work").marker

    assert [int(colour[-2:], 16) for colour in marker.color] == [255, 88]
    assert marker.line.color[1] == LIGHT.error


def test_a_click_carries_the_span_to_the_nanosecond() -> None:
    """Through text, which a browser does not round."""
    figure = _draw(order())
    queues = [Clicked.unpacked(each) for each in _trace(figure, "queue wait").customdata]
    first = min(queues, key=lambda clicked: clicked.started_ns)

    assert (first.started_ns, first.ended_ns, first.many) == (at(10), at(15), 1)
    assert (first.trace_id, first.span_id) in order().story().spans
    assert Clicked.unpacked(first.packed()) == first


def test_the_selected_span_is_framed() -> None:
    """With its queue wait, and nothing else is."""
    made = order()
    reserve = next(span for span in made.spans if span.name == "process inventory.commands")
    frames = [
        [shape for shape in _draw(made, selected=selected).layout.shapes if shape.xref != "paper"]
        for selected in (None, (reserve.trace_id, reserve.span_id))
    ]

    assert [len(each) for each in frames] == [0, 2]
    assert sorted(shape.x0 for shape in frames[1]) == [10, 15]


def test_the_critical_path_is_a_strip_above_the_rows() -> None:
    """From end to end, in the colours of what the time went into; without pieces there is none."""
    story = order().story()
    strip = _draw(order()).data[0]
    bars = segments(story, steps(story), NOW)
    without = chart.draw(story, timeline(bars, (at(0), at(100))), LIGHT)

    assert strip.showlegend is False
    assert sum(strip.x) == pytest.approx(story.duration_ns / 1e6, rel=0.02)
    assert set(strip.marker.color) <= set(LIGHT.kinds.values())
    assert "critical path" in str(_draw(order()).layout.annotations)
    assert "critical path" not in str(without.layout.annotations)


def test_further_traces_and_now_are_lines() -> None:
    """A dotted one where each trace but the first begins, a dashed one for now."""
    made = order()
    made.span("later", 200, 210, "audit", trace=2)
    made.started("ship", 205, "shipping")
    lines = [
        (shape.x0, shape.line.dash)
        for shape in _draw(made, now_ns=NOW).layout.shapes
        if shape.type == "line"
    ]

    assert lines == [(200, "dot"), (500, "dash")]


def test_a_window_cuts_what_reaches_out_of_it() -> None:
    """What Plotly says of a bar stands at the bar's end, which must not be outside."""
    figure = _draw(order(), window=(at(65), at(70)))
    work = _trace(figure, "work")

    assert min(work.base) == 65
    assert max(base + x for base, x in zip(work.base, work.x, strict=True)) == 70
    assert "took <b>30 ms</b>" in work.hovertext[0]


def test_received_names_are_shown_as_text() -> None:
    """Plotly reads tags."""
    made = Made()
    made.step("<a href='x'>pay</a>" + "y" * 100, 0, 10, "<i>shop</i>")
    said = str([note.text for note in _draw(made).layout.annotations])

    assert "<i>shop" not in said
    assert "<a" not in said
    assert "y" * 40 not in said


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ((0, 1148), ["0", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]),
        ((0, 0.004), ["0", "0.5 µs", "1 µs", "1.5 µs", "2 µs", "2.5 µs", "3 µs", "3.5 µs", "4 µs"]),
        ((0, 414_000), ["0", "1 m", "2 m", "3 m", "4 m", "5 m", "6 m"]),
        ((0, 3 * 86_400_000), ["0", "12 h", "1 d", "1 d 12 h", "2 d", "2 d 12 h", "3 d"]),
        ((600_000, 600_021), ["10 m", "+5 ms", "+10 ms", "+15 ms", "+20 ms"]),
        ((120.5, 450), ["150 ms", "200 ms", "250 ms", "300 ms", "350 ms", "400 ms", "450 ms"]),
    ],
)
def test_ticks_are_in_units_that_people_count_in(
    window: tuple[float, float], said: list[str]
) -> None:
    """Far from the start they count from the first of them."""
    places, texts = ticks(*window)

    assert texts == said
    assert len(places) == len(texts) <= 11
    assert all(window[0] <= place <= window[1] * 1.0001 for place in places)


def test_times_are_rounded_before_they_are_split() -> None:
    """There is no 60th second."""
    assert clock(119_999.99, 10) == "2 m"
    assert clock(59_999.9, 1) == "1 m"
    assert clock(-1500, 100) == "−1.5 s"
    assert exact(1_260_000) == "1.26 ms"
    assert exact(240_123_456_789) == "4 m 0.1 s"
    assert exact(90_061_000 * 10**6) == "1 d 1 h 1 m"
    assert exact(0) == "0"
