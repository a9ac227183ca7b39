"""Columns of figures and the charts below them: one look on all pages."""

import time
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from otel_kit.explorer.model import words
from otel_kit.records import Quantiles


def chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure in which nothing is to be clicked; `alt` is for those who cannot see it."""
    config = {"displayModeBar": False}
    st.plotly_chart(figure, key=key, theme=None, config=config, alt=alt)


def seconds(help_text: str) -> Any:
    """Durations of queues, to be sorted as numbers."""
    return st.column_config.NumberColumn(help=help_text, format="%.3f s")


def milliseconds(help_text: str) -> Any:
    """Durations, to be sorted as numbers."""
    return st.column_config.NumberColumn(help=help_text, format="%.1f ms")


def count(help_text: str) -> Any:
    """Whole numbers."""
    return st.column_config.NumberColumn(help=help_text, format="localized")


def share(help_text: str, colour: str) -> Any:
    """A bar from 0 to 100 %."""
    return st.column_config.ProgressColumn(
        help=help_text, width=120, format="%.1f %%", min_value=0, max_value=100, color=colour
    )  # fmt: skip


def chip(help_text: str, colours: Mapping[str, str]) -> Any:
    """One word of `colours`, as a list that holds it alone."""
    return st.column_config.MultiselectColumn(
        help=help_text, options=list(colours), color=list(colours.values()), disabled=True
    )  # fmt: skip


def quantiles(prefix: str, measured: Quantiles, factor: float = 1.0) -> dict[str, float | None]:
    """Three cells, in seconds times `factor`."""
    each = {"p50": measured.p50_s, "p95": measured.p95_s, "p99": measured.p99_s}
    return {
        f"{prefix}{name}": None if value is None else value * factor for name, value in each.items()
    }


def ago(then_s: float | None, now_ns: int) -> str:
    """``4 m 10 s ago``; empty if it is not known."""
    return f"{words.duration(max(0.0, now_ns / 1e9 - then_s))} ago" if then_s else ""


def at(then_s: float | None) -> str:
    """``2024-05-01 12:30:00 UTC``; empty if it is not known."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(then_s)) if then_s else ""
