"""Counts of several kinds, stacked into a bar for each row."""

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go

from otel_kit.explorer.charts.figure import blank, plain
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import words

_ROW_PX: Final = 30


def stacked(
    rows: Sequence[tuple[str, Mapping[str, int]]], colours: Mapping[str, str], palette: Palette,
    *, shares: bool = False,
) -> go.Figure:  # fmt: skip
    """A bar for each (name, counts by kind), the first on top, its kinds in `colours`' order.

    With `shares` all bars are of one length.
    """
    names = [plain(name, 48) for name, _ in rows]
    made = blank(
        palette, height=len(rows) * _ROW_PX + 76, barmode="stack", uirevision="bars",
        barnorm="percent" if shares else "", showlegend=True, dragmode=False, bargap=0.35,
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"fixedrange": True, "ticksuffix": " %" if shares else "", "rangemode": "tozero",
               "automargin": True},
        yaxis={
            "automargin": True, "fixedrange": True, "showgrid": False,
            "range": [len(rows) - 0.5, -0.5], "tickvals": [*range(len(rows))], "ticktext": names,
        },
    )  # fmt: skip
    for kind, colour in colours.items():
        counts = [by_kind.get(kind, 0) for _, by_kind in rows]
        if any(counts):
            made.add_trace(
                go.Bar(
                    x=counts, y=[*range(len(rows))], name=plain(kind), orientation="h",
                    marker={"color": colour, "line": {"width": 0}},
                    customdata=[*_hover(rows, kind)], hovertemplate="%{customdata}<extra></extra>",
                )
            )  # fmt: skip
    return made


def _hover(rows: Sequence[tuple[str, Mapping[str, int]]], kind: str) -> list[str]:
    found = []
    for name, counts in rows:
        many, all_of_them = counts.get(kind, 0), sum(counts.values())
        share = words.share(many / all_of_them) if all_of_them else "0 %"
        found.append(f"<b>{plain(name)}</b><br>{plain(kind)}: {words.number(many)} ({share})")
    return found
