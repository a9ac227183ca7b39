"""Messages that wait in each queue over the time that one looks, and when it would be empty."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import plotly.graph_objects as go

from otel_kit.explorer.charts.figure import blank, plain
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model.backlog import Pace, Reading

_AHEAD_S: Final = 600.0
"""A forecast is drawn at most this far into the future."""


def lines(
    queues: Sequence[tuple[str, Sequence[Reading], Pace | None]], palette: Palette
) -> go.Figure:
    """A line for each (name, readings, pace); dotted from now on while it drains."""
    made = blank(
        palette, height=260, uirevision="backlog", hovermode="x unified", showlegend=True,
        dragmode=False, legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        xaxis={"type": "date", "fixedrange": True, "showgrid": False, "automargin": True},
        yaxis={"fixedrange": True, "rangemode": "tozero", "automargin": True},
    )  # fmt: skip
    for number, (name, readings, pace) in enumerate(queues):
        colour = palette.series[number % len(palette.series)]
        made.add_trace(
            go.Scatter(
                x=[_time(each.time_ns) for each in readings], y=[each.waiting for each in readings],
                name=plain(name, 60), mode="lines", line={"color": colour, "width": 2},
                hovertemplate="%{y:,.0f} waiting",
            )
        )  # fmt: skip
        if pace and pace.drain_s and readings:
            made.add_trace(_forecast(readings[-1], pace, pace.drain_s, colour))
    return made


def _forecast(last: Reading, pace: Pace, drain_s: float, colour: str) -> go.Scatter:
    ahead_s = min(drain_s, _AHEAD_S)
    left = max(0.0, last.waiting + pace.change * ahead_s)
    return go.Scatter(
        x=[_time(last.time_ns), _time(last.time_ns + round(ahead_s * 1e9))],
        y=[last.waiting, left], mode="lines", showlegend=False, hoverinfo="skip",
        line={"color": colour, "width": 2, "dash": "dot"},
    )  # fmt: skip


def _time(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
