"""The timeline of a saga: all its traces on one axis, rows by service and step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from otel_kit.explorer.charts import figure, time_axis, timeline_hover
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.charts.timeline_layout import PATH_Y, Labels, Layout, Placed, Scale, bands
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.marks import Mark, MarkKind
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.timeline import Bar, Timeline

_TOP: Final = 52
_MOST_TRACES: Final = 50
_LEGEND: Final = {
    "work": "work",
    "queue": "queue wait",
    "network": "network",
    "backoff": "retry back-off",
    "rejected": "rejected by breaker",
    "open": "not ended",
    "compensation": "compensation",
    "gap": "unknown",
}
_SYMBOLS: Final[Mapping[MarkKind, str]] = {
    "breaker": "diamond",
    "outcome": "star",
    "dead_letter": "x",
    "duplicate": "circle-open",
    "missing": "triangle-down",
}


@dataclass(frozen=True, slots=True)
class Clicked:
    """What a click on a bar carries: its span, and how far it reaches if it stands for `many`."""

    trace_id: str
    span_id: str
    started_ns: int
    ended_ns: int
    many: int

    def packed(self) -> str:
        """As Plotly's ``customdata``: text, as a browser's numbers cannot hold nanoseconds."""
        return f"{self.started_ns} {self.ended_ns} {self.many} {self.trace_id}.{self.span_id}"

    @classmethod
    def unpacked(cls, customdata: str) -> "Clicked":
        """The other way round."""
        started_ns, ended_ns, many, key = customdata.split(" ", 3)
        trace_id, _, span_id = key.partition(".")
        return cls(trace_id, span_id, int(started_ns), int(ended_ns), int(many))


_FAINT: Final = 0.3
"""How opaque a bar is that stands for many, with nearly all of its time between them."""
_BAD: Final = ("dead_letter", "missing")


def draw(
    story: Story,
    drawn: Timeline,
    palette: Palette,
    *,
    marks: Sequence[Mark] = (),
    selected: SpanKey | None = None,
    now_ns: int | None = None,
) -> go.Figure:
    """Rows and bars of a window; the critical path as a strip above them if `drawn` has one.

    A bar's ``customdata`` is `Clicked.packed`.  With `now_ns` the moment is marked.
    """
    places, scale = Layout(drawn), Scale(story.started_ns, drawn.window)
    labels = Labels(places, palette)
    found = _blank(palette, places, scale, labels.left)
    found.add_traces(
        [
            *_path(story, drawn, palette, scale),
            *_bars(story, places, palette, scale),
            *_marks(story, marks, places, palette, scale),
        ]
    )
    found.update_layout(
        annotations=list(labels.annotations(with_path=bool(drawn.path))),
        shapes=[
            *bands(places, palette),
            *_lines(story, palette, scale, now_ns),
            *_selection(places, palette, scale, selected),
        ],
    )
    return found


def _blank(palette: Palette, places: Layout, scale: Scale, left: int) -> go.Figure:
    first, last = (scale.at(edge) for edge in scale.window)
    values, texts = time_axis.ticks(first, last)
    found = figure.blank(palette, height=round(places.height) + _TOP + 8, left=left)
    found.update_layout(
        margin={"l": left, "r": 16, "t": _TOP, "b": 8, "autoexpand": False},
        barmode="overlay", hovermode="closest", dragmode="zoom", clickmode="event+select",
        uirevision=f"{first} {last}", showlegend=True,
        legend={
            "orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yref": "container",
            "yanchor": "top", "font": {"size": 12}, "itemsizing": "constant",
            "bgcolor": "rgba(0,0,0,0)",
        },
    )  # fmt: skip
    found.update_xaxes(
        range=[first, first + (last - first) * 1.003], side="top",
        tickvals=values, ticktext=texts, zeroline=False,
    )  # fmt: skip
    found.update_yaxes(
        range=[places.height, 0], fixedrange=True, visible=False,
    )  # fmt: skip
    return found


# -- bars ------------------------------------------------------------------------------------------


def _look(bar: Bar) -> str:
    return "compensation" if bar.compensation and bar.kind == "work" else bar.kind


def _bars(story: Story, places: Layout, palette: Palette, scale: Scale) -> Iterator[go.Bar]:
    """A trace for each look, in the order of the legend."""
    looks: dict[str, list[Placed]] = {}
    for placed in places.bars:
        looks.setdefault(_look(placed.bar), []).append(placed)
    for alike in looks.values():  # The legend looks like the first, and the last lies on top.
        alike.sort(key=lambda placed: (bool(placed.bar.errors), -placed.bar.density))
    for look, name in _LEGEND.items():
        if look in looks:
            yield _trace(story, look, name, looks[look], palette, scale, places.lane)
    if any(placed.bar.errors for placed in places.bars):
        yield _error_legend(palette)


def _trace(
    story: Story, look: str, name: str, placed: Sequence[Placed], palette: Palette,
    scale: Scale, lane: int,
) -> go.Bar:  # fmt: skip
    bars = [each.bar for each in placed]
    return go.Bar(
        name=name,
        orientation="h",
        base=[scale.left(bar.started_ns) for bar in bars],
        x=[scale.width(bar.started_ns, bar.ended_ns) for bar in bars],
        y=[each.y for each in placed],
        width=lane - 3,
        marker=_marker(look, bars, palette),
        customdata=[_clicked(bar).packed() for bar in bars],
        hovertext=[timeline_hover.of_bar(story, bar) for bar in bars],
        hoverinfo="text",
        textposition="none",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _marker(look: str, bars: Sequence[Bar], palette: Palette) -> dict[str, Any]:
    colour = palette.compensation if look == "compensation" else palette.kinds[look]
    found: dict[str, Any] = {
        "color": [_faded(colour, bar.density) for bar in bars],
        "cornerradius": 2,
        "line": {
            "color": [palette.error if bar.errors else colour for bar in bars],
            "width": [1.6 if bar.errors else 0 for bar in bars],
        },
    }
    if look == "open":
        found["pattern"] = {
            "shape": "/", "size": 6, "solidity": 0.35, "fillmode": "replace",
            "fgcolor": colour, "bgcolor": palette.surface,
        }  # fmt: skip
        found["line"] = {"color": colour, "width": 1}
    return found


def _faded(colour: str, density: float) -> str:
    """The colour with an alpha channel, for a bar that is not all there."""
    return f"{colour}{round(255 * (_FAINT + (1 - _FAINT) * density)):02x}"


def _clicked(bar: Bar) -> Clicked:
    segment = bar.longest
    trace_id, span_id = segment.span or ("", "")
    return Clicked(trace_id, span_id, bar.started_ns, bar.ended_ns, len(bar.segments))


def _error_legend(palette: Palette) -> go.Bar:
    return go.Bar(
        name="error", orientation="h", x=[None], y=[None],
        marker={"color": palette.surface, "line": {"color": palette.error, "width": 1.6}},
    )  # fmt: skip


def _path(story: Story, drawn: Timeline, palette: Palette, scale: Scale) -> Iterator[go.Bar]:
    if not drawn.path:
        return
    yield go.Bar(
        orientation="h",
        base=[scale.left(each.started_ns) for each in drawn.path],
        x=[scale.width(each.started_ns, each.ended_ns) for each in drawn.path],
        y=[PATH_Y] * len(drawn.path),
        width=11,
        marker={"color": [palette.kinds[each.label] for each in drawn.path], "line": {"width": 0}},
        customdata=[
            Clicked(*each.pieces[0].span, each.started_ns, each.ended_ns, len(each.pieces)).packed()
            for each in drawn.path
        ],
        hovertext=[timeline_hover.of_stretch(story, each) for each in drawn.path],
        hoverinfo="text",
        showlegend=False,
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


# -- marks -----------------------------------------------------------------------------------------


def _marks(
    story: Story, marks: Sequence[Mark], places: Layout, palette: Palette, scale: Scale,
) -> Iterator[go.Scatter]:  # fmt: skip
    heights = {segment.span: placed.y for placed in places.bars for segment in placed.bar.segments}
    first, last = scale.window
    shown = [m for m in marks if first <= m.time_ns <= last and m.span in heights]
    if not shown:
        return
    yield go.Scatter(
        name="event",
        mode="markers",
        x=[scale.at(mark.time_ns) for mark in shown],
        y=[heights[mark.span] for mark in shown],
        marker={
            "symbol": [_SYMBOLS[mark.kind] for mark in shown], "size": 11,
            "color": [palette.error if mark.kind in _BAD else palette.ink for mark in shown],
            "line": {"color": palette.page, "width": 1.5},
        },
        customdata=[Clicked(*m.span, m.time_ns, m.time_ns, 1).packed() for m in shown],
        hovertext=[
            timeline_hover.of_mark(story, mark) for mark in shown
        ],
        hoverinfo="text",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _lines(
    story: Story, palette: Palette, scale: Scale, now_ns: int | None
) -> Iterator[dict[str, Any]]:
    """Where a further trace begins, and now."""
    first, last = scale.window
    starts: dict[str, int] = {}
    for span in story.spans.values():
        starts.setdefault(span.trace_id, span.started_ns)
    for start in sorted(starts.values())[1:_MOST_TRACES]:
        if first < start < last:
            yield _line(scale.at(start), palette.muted, "dot")
    if now_ns is not None and first < now_ns <= last:
        yield _line(scale.at(now_ns), palette.states["running"], "dash")


def _line(x: float, colour: str, dash: str) -> dict[str, Any]:
    line = {"color": colour, "width": 1, "dash": dash}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _selection(
    places: Layout, palette: Palette, scale: Scale, selected: SpanKey | None
) -> Iterator[dict[str, Any]]:
    if selected is None:
        return
    for placed in places.bars:
        bar = placed.bar
        if any(segment.span == selected for segment in bar.segments):
            start = scale.left(bar.started_ns)
            yield {
                "type": "rect",
                "x0": start, "x1": start + scale.width(bar.started_ns, bar.ended_ns),
                "y0": placed.y - places.lane / 2, "y1": placed.y + places.lane / 2,
                "line": {"color": palette.ink, "width": 2},
            }  # fmt: skip
