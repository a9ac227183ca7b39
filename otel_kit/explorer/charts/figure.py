"""What all figures have in common: an empty one in the palette's colours."""

from html import escape
from typing import Any, Final

import pandas  # noqa: F401  # Plotly looks into what is half imported when another thread is at it
import plotly.graph_objects as go

from otel_kit.explorer.charts.palette import Palette

FONT: Final = '"Source Sans", "Source Sans Pro", sans-serif'
"""That of the pages around."""


def blank(palette: Palette, *, height: int, left: int = 8, **layout: Any) -> go.Figure:
    """A figure without axes' clutter, `height` pixels high, with `left` pixels for row names."""
    axis = {
        "gridcolor": palette.line,
        "zerolinecolor": palette.line,
        "linecolor": palette.line,
        "tickfont": {"color": palette.muted, "size": 12},
        "title": None,
    }
    figure = go.Figure(
        layout={
            "height": height,
            "margin": {"l": left, "r": 8, "t": 8, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": palette.ink, "size": 13, "family": FONT},
            "hoverlabel": {
                "bgcolor": palette.surface,
                "bordercolor": palette.line,
                "font": {"color": palette.ink, "size": 13, "family": FONT},
                "align": "left",
            },
            "xaxis": axis,
            "yaxis": axis,
            "showlegend": False,
        }
    )
    figure.update_layout(**layout)
    return figure


def plain(text: str, most: int = 120) -> str:
    """Received text as Plotly shows it literally (it reads tags), cut at `most` characters."""
    return escape(text if len(text) <= most else text[: most - 1] + "…")
