"""Zooming a chart by dragging across it, where the server must know of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st

_MOUNT: Final = st.components.v2.component(
    "otel_kit_dragged", js=(Path(__file__).parent / "dragged.js").read_text(), html="<i></i>"
)


def listen(chart: str, zoomed: Callable[[Sequence[float]], None]) -> None:
    """Call `zoomed` with both ends of the x axis when someone drags across the chart of this key.

    With none after a double click: that is to see all again.
    """
    key = f"{chart}_dragged"

    def changed() -> None:
        told: Any = st.session_state[key].range
        if isinstance(told, list) and all(isinstance(edge, int | float) for edge in told):
            zoomed([float(edge) for edge in told])

    with st.container(key=f"{key}_listener"):
        _MOUNT(data={"chart": chart}, key=key, on_range_change=changed)
