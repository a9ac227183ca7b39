"""A chart on a page: a click on what stands for a span selects that span."""

from functools import partial
from typing import Any, Final

import plotly.graph_objects as go
import streamlit as st

from otel_kit.explorer.views import links

_CONFIG: Final = {"displayModeBar": False}


def chart(figure: go.Figure, *, key: str, alt: str = "") -> None:
    """Draw a figure; the customdata of its points is (trace id, span id) of what they stand for.

    `alt` says what the chart shows, for those who cannot see it.
    """
    st.plotly_chart(
        figure, key=key, on_select=partial(_clicked, key), selection_mode="points", theme=None,
        config=_CONFIG, alt=alt or None,
    )  # fmt: skip


def _clicked(key: str) -> None:
    chosen: Any = st.session_state[key]
    for point in chosen["selection"]["points"][:1]:
        trace_id, span_id = point["customdata"]
        links.select_span((trace_id, span_id))
