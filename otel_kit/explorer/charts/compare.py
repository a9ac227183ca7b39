"""One saga against another: to the right what took longer, to the left what took less."""

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go

from otel_kit.explorer.charts import time_axis
from otel_kit.explorer.charts.figure import blank, plain
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import words
from otel_kit.explorer.model.compare import Change, Difference, Measure, What

WHATS: Final[Mapping[What, str]] = {
    "saga": "saga",
    "step": "step",
    "compensation": "compensation",
    "queue": "queue",
    "call": "call",
}
CHANGES: Final[Mapping[Change, str]] = {
    "longer": "longer",
    "shorter": "shorter",
    "alike": "alike",
    "extra": "extra",
    "missing": "missing",
}
"""The changes in words; `colour` has their colours."""
MOST: Final = 25
"""Rows drawn: the largest differences."""


def colour(change: Change, palette: Palette) -> str:
    """What took longer is red, what took less is green, what is only on one side is violet."""
    return {
        "longer": palette.error,
        "shorter": palette.good,
        "alike": palette.muted,
        "extra": palette.compensation,
        "missing": palette.kinds["backoff"],
    }[change]


def diverging(differences: Sequence[Difference], palette: Palette) -> go.Figure:
    """A bar for each item that differs, but not the saga as a whole, as long as its difference."""
    rows = _rows(differences)
    more_ms = [row.more_s * 1e3 for row in rows]
    low, high = min([0, *more_ms]), max([0, *more_ms])
    room = (high - low) * 0.25 or 1
    values, texts = time_axis.ticks(low, high)
    figure = blank(palette, height=30 * len(rows) + 48, uirevision="compare", bargap=0.35)
    figure.add_bar(
        orientation="h",
        y=list(range(len(rows))),
        x=more_ms,
        marker={
            "color": [colour(row.change, palette) for row in rows],
            "pattern": {
                "shape": ["/" if None in (row.mine, row.other) else "" for row in rows],
                "fgcolor": palette.page,
                "size": 7,
            },
        },
        text=[_said(row) for row in rows],
        textposition="outside",
        cliponaxis=False,
        hovertext=[_hover(row) for row in rows],
        hoverinfo="text",
    )
    figure.update_layout(margin_b=28)
    figure.update_xaxes(
        range=[low - room, high + room], tickvals=values, ticktext=texts, fixedrange=True,
        zeroline=True, zerolinecolor=palette.muted, showline=False,
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", fixedrange=True, automargin=True, showgrid=False, showline=False,
        zeroline=False, tickvals=list(range(len(rows))), ticktext=[_name(row) for row in rows],
        tickfont_color=palette.ink,
    )  # fmt: skip
    return figure


def _rows(differences: Sequence[Difference]) -> list[Difference]:
    """The largest, in the order given."""
    rows = [row for row in differences if row.what != "saga" and row.change != "alike"]
    largest = sorted(rows, key=lambda row: -abs(row.more_s))[:MOST]
    return [row for row in rows if row in largest]


def _name(row: Difference) -> str:
    return f"{plain(row.name, 40)} · {WHATS[row.what]}"


def _said(row: Difference) -> str:
    sign = "+" if row.more_s >= 0 else "−"
    said = f"{sign}{words.duration(abs(row.more_s))}"
    only = {"extra": " extra", "missing": " missing"}
    return said + only.get(row.change, "")


def _hover(row: Difference) -> str:
    return "<br>".join(
        [f"<b>{_name(row)}</b>", f"here: {measured(row.mine)}", f"there: {measured(row.other)}"]
    )


def measured(measure: Measure | None) -> str:
    """``1.0 s, 3 times``."""
    if measure is None:
        return "not at all"
    times = "" if measure.times == 1 else f", {measure.times:g} times"
    return words.duration(measure.seconds) + times
