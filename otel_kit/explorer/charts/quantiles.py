"""Quantiles as dots on a line from p50 to p99, on an axis of time that grows by tens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any, Final

import plotly.graph_objects as go

from otel_kit.explorer.charts.figure import blank, plain
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import words
from otel_kit.records import Quantiles

_LEAST_S: Final = 1e-5
_ROW_PX: Final = 22
_SYMBOLS: Final = ("circle-open", "circle", "diamond")


@dataclass(frozen=True, slots=True)
class Row:
    """What is drawn under one name: quantiles by what they measure, in seconds."""

    name: str
    measured: Mapping[str, Quantiles]


def dots(rows: Sequence[Row], colours: Mapping[str, str], palette: Palette) -> go.Figure:
    """A line of dots for each measurement of each row, the first row on top.

    `colours` are those of the measurements, in the order in which they stand below each other.
    """
    lines = [
        (row, what, row.measured[what])
        for row in rows
        for what in colours
        if row.measured.get(what, Quantiles()).p50_s is not None
    ]
    axis = _axis([s for _, _, each in lines for s in _known(each).values()])
    heights = {row.name: 0 for row in rows}
    made = blank(
        palette, height=round(len(lines) * _ROW_PX + len(heights) * 6 + 76), uirevision="dots",
        hovermode="closest", showlegend=True, dragmode=False,
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        xaxis={**axis, "type": "log", "fixedrange": True, "automargin": True},
        yaxis={"automargin": True, "fixedrange": True, "showgrid": False},
    )  # fmt: skip
    made.add_traces([trace for what in colours for trace in _traces(what, lines, colours[what])])
    made.update_yaxes(**_names(lines))
    return made


def _traces(
    what: str, lines: Sequence[tuple[Row, str, Quantiles]], colour: str
) -> Iterator[go.Scatter]:
    """One trace for all lines of a measurement, with a break between two."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    texts: list[str] = []
    symbols: list[str] = []
    for place, (row, of, measured) in zip(_places(lines), lines, strict=True):
        known = _known(measured)
        if of != what:
            continue
        said = " · ".join(f"{name} {words.duration(s)}" for name, s in known.items())
        xs += [*(max(s, _LEAST_S) for s in known.values()), None]
        ys += [*(place for _ in known), None]
        texts += [f"<b>{plain(row.name)}</b><br>{what}: {said}"] * (len(known) + 1)
        symbols += [*_SYMBOLS[: len(known)], "circle"]
    if xs:
        yield go.Scatter(
            x=xs, y=ys, text=texts, name=what, mode="lines+markers",
            hovertemplate="%{text}<extra></extra>", line={"color": colour, "width": 2},
            marker={"size": 9, "symbol": symbols, "color": colour, "opacity": 1},
        )  # fmt: skip


def _known(measured: Quantiles) -> dict[str, float]:
    each = {"p50": measured.p50_s, "p95": measured.p95_s, "p99": measured.p99_s}
    return {name: seconds for name, seconds in each.items() if seconds is not None}


def _places(lines: Sequence[tuple[Row, str, Quantiles]]) -> Iterator[float]:
    """Downward, with a little more room between two rows than within one."""
    place, last = 0.0, ""
    for row, _, _ in lines:
        place -= 1.3 if row.name != last else 0.8
        last = row.name
        yield place


def _names(lines: Sequence[tuple[Row, str, Quantiles]]) -> dict[str, Any]:
    """Each row's name once, in the middle of its lines."""
    places: dict[str, list[float]] = {}
    for place, (row, _, _) in zip(_places(lines), lines, strict=True):
        places.setdefault(row.name, []).append(place)
    lowest = min((each[-1] for each in places.values()), default=0.0)
    return {
        "tickvals": [sum(each) / len(each) for each in places.values()],
        "ticktext": [plain(name, 48) for name in places],
        "range": [lowest - 0.8, -0.5],
    }


def _axis(seconds: Sequence[float]) -> dict[str, Any]:
    """Whole tens around what was measured, named as a person says them."""
    shown = [max(s, _LEAST_S) for s in seconds] or [0.001, 1.0]
    low, high = floor(log10(min(shown))), ceil(log10(max(shown) * 1.0001))
    tens = [10.0**power for power in range(low, high + 1)]
    return {
        "range": [low - 0.05, high + 0.05], "tickvals": tens,
        "ticktext": [words.duration(ten) for ten in tens],
    }  # fmt: skip
