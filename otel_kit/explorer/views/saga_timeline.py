"""The heart of a saga's page: everything that happened, on one axis."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from otel_kit.explorer.charts import timeline as chart
from otel_kit.explorer.charts.time_axis import exact
from otel_kit.explorer.charts.timeline import Clicked
from otel_kit.explorer.model import words
from otel_kit.explorer.model.marks import marks
from otel_kit.explorer.model.timeline import Timeline, Window, extent, timeline
from otel_kit.explorer.views import dragged, links, shell
from otel_kit.explorer.views.reading import Opened

_CHART: Final = "timeline"
_ZOOM: Final = "zoom"
"""The URL's word for the window: from and to, milliseconds since the saga's start."""
_LEAST_NS: Final = 1000
_PATIENCE_MS: Final = 1000
"""Between the two clicks of a double one: a browser that is busy hears of them late."""
_IDLE: Final = 4
"""A saga that has been quiet for so many times as long as it was busy is offered a closer look."""


def show(opened: Opened) -> None:
    """The chart and what moves its window: a click opens a span, a drag zooms in."""
    story = opened.story
    if not opened.segments:
        st.info("No span of this saga has arrived yet.", icon=":material/hourglass_empty:")
        return
    whole = extent(opened.segments, story.started_ns, story.ended_ns)
    window = _window(story.started_ns, whole)
    with_path = _controls(opened, window, whole)
    pieces = opened.verdict.path.pieces if with_path else ()
    drawn = timeline(opened.segments, window, pieces)
    figure = chart.draw(
        story, drawn, shell.palette(), marks=marks(story), selected=links.selected_span(),
        now_ns=opened.now_ns if opened.in_progress else None,
    )  # fmt: skip
    st.plotly_chart(
        figure, key=_CHART, theme=None, selection_mode="points",
        on_select=lambda: _selected(story.started_ns, window),
        config={"displayModeBar": False, "doubleClick": False, "doubleClickDelay": _PATIENCE_MS},
        alt="Everything that happened in the saga, by service and step, over time",
    )  # fmt: skip
    dragged.listen(_CHART, lambda edges: _dragged(story.started_ns, edges, whole))
    st.caption(_hint(drawn))


def _hint(drawn: Timeline) -> str:
    said = "Click a bar for its details; drag across to zoom in, double-click to zoom out."
    if merged := sum(len(bar.segments) > 1 for bar in drawn.bars):
        said += (
            f" Bars that stand for several, too narrow to be told apart: {words.number(merged)}."
        )
    return said


# -- the window ------------------------------------------------------------------------------------


def _window(started_ns: int, whole: Window) -> Window:
    """What the URL says, within the saga; all of it if the URL says nothing sensible."""
    first, _, last = st.query_params.get(_ZOOM, "").partition("~")
    try:
        asked = (started_ns + int(float(first) * 1e6), started_ns + int(float(last) * 1e6))
    except (ValueError, OverflowError):
        return whole
    return _within(asked, whole) if asked[0] < asked[1] else whole


def _within(asked: Window, whole: Window) -> Window:
    """Moved and cut so that it shows a part of the saga."""
    length = min(max(asked[1] - asked[0], _LEAST_NS), whole[1] - whole[0])
    first = min(max(asked[0], whole[0]), whole[1] - length)
    return first, first + length


def _look_at(started_ns: int, window: Window | None) -> None:
    """Write the window into the URL; None is all of it."""
    if window is None:
        st.query_params.pop(_ZOOM, None)
        return
    first, last = ((edge - started_ns) / 1e6 for edge in window)
    st.query_params[_ZOOM] = f"{first:.3f}~{last:.3f}"


def _controls(opened: Opened, window: Window, whole: Window) -> bool:
    """Buttons that move the window; returns whether to show the critical path."""
    started_ns = opened.story.started_ns
    length = window[1] - window[0]

    def button(label: str, icon: str, by: float, grow: float = 0.0) -> None:
        """Moves the window by a part of its length, and grows it at both ends."""
        first = window[0] + round(length * (by - grow))
        moved = _within((first, first + round(length * (1 + 2 * grow))), whole)
        st.button(
            label, icon=f":material/{icon}:", on_click=_look_at,
            args=(started_ns, None if moved == whole else moved), disabled=moved == window,
        )  # fmt: skip

    with st.container(horizontal=True, vertical_alignment="center"):
        with_path = st.toggle("Critical path", value=True, key="path", bind="query-params")
        if window != whole:
            button("Earlier", "chevron_left", -0.5)
            button("Later", "chevron_right", 0.5)
            button("Zoom out", "zoom_out", 0, grow=1)
            whole_saga = (started_ns, None)
            st.button("Whole saga", icon=":material/fit_width:", on_click=_look_at, args=whole_saga)
            first, last = (exact(edge - started_ns) for edge in window)
            st.caption(f"{first} to {last} of {exact(whole[1] - whole[0])}")
        else:
            _offer_busy(opened, whole)
    return with_path


def _offer_busy(opened: Opened, whole: Window) -> None:
    """Where all that happened is a sliver beside the waiting since, a look at that sliver."""
    story = opened.story
    busy = story.duration_ns
    if 0 < busy * _IDLE < whole[1] - whole[0]:
        window = _within((story.started_ns, story.ended_ns + busy // 10), whole)
        st.button(
            f"The {words.duration(busy / 1e9)} in which it moved", icon=":material/zoom_in:",
            on_click=_look_at, args=(story.started_ns, window),
        )  # fmt: skip


# -- clicks and drags ------------------------------------------------------------------------------


def _selected(started_ns: int, window: Window) -> None:
    chosen: Any = st.session_state[_CHART].selection
    carried = [str(point["customdata"]) for point in chosen.points if "customdata" in point]
    if carried:
        _clicked(started_ns, window, Clicked.unpacked(carried[-1]))


def _dragged(started_ns: int, edges: Sequence[float], whole: Window) -> None:
    if len(edges) == 2:
        first, last = (started_ns + round(edge * 1e6) for edge in edges)
        _look_at(started_ns, _within((first, last), whole))
    else:
        _look_at(started_ns, None)


def _clicked(started_ns: int, window: Window, bar: Clicked) -> None:
    """A bar that stands for many is looked at more closely, where that parts them."""
    """A bar that stands for many is looked at more closely, where that parts them."""
    around = (bar.ended_ns - bar.started_ns) // 2 + _LEAST_NS
    closer = (bar.started_ns - around, bar.ended_ns + around)
    if bar.many > 1 and (closer[1] - closer[0]) * 2 < window[1] - window[0]:
        _look_at(started_ns, _within(closer, window))
    elif bar.span_id:
        links.select_span((bar.trace_id, bar.span_id))
