"""What every page has around it: its title, live refresh, and a plain word when a source fails."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import streamlit as st

from otel_kit.explorer.charts.palette import DARK, LIGHT, Palette
from otel_kit.explorer.source import NotKnown, SourceError
from otel_kit.explorer.views import reading
from otel_kit.explorer.views.markdown import plain

LOGO: Final = Path(__file__).parent / "logo.svg"
REFRESH_S: Final = 3.0
"""Seconds between two looks at the source while a page is live."""
STYLE: Final = """<style>
[data-testid="stMainBlockContainer"] {padding-top: 4rem; padding-bottom: 3rem}
[data-testid="stMetric"] [data-testid="stMetricValue"] {font-variant-numeric: tabular-nums}
.st-key-expected, [class*="_dragged_listener"] {display: none}
</style>"""


def expect_charts() -> None:
    """Have the browser load Plotly, some megabytes, while the source is still being read."""
    with st.container(key="expected"):
        st.plotly_chart({"data": [{"type": "bar"}], "layout": {"height": 10}}, key="no_chart")


def palette() -> Palette:
    """The colours of the visitor's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def heading(title: str, *, live: bool = False) -> float | None:
    """The page's title, and with `live` the switch for it.

    Returns the seconds between two looks at the source, None when it is not live.
    """
    left, right = st.columns([6, 1], vertical_alignment="bottom")
    left.title(title, anchor=False)
    if not live or reading.source().as_of_ns is not None:
        return None
    with right:
        on = st.toggle("Live", value=True, key="live", bind="query-params", persist_state="session")
    return REFRESH_S if on else None


@contextmanager
def answering(key: str) -> Iterator[None]:
    """Where the source is asked: its failure becomes a sentence, and is tried again."""
    try:
        yield
    except SourceError as problem:
        reading.forget()
        st.error(plain(str(problem)), icon=":material/cloud_off:")
        st.button("Try again", key=f"retry_{key}", icon=":material/refresh:")
        again_soon()


def again_soon() -> None:
    """Run the page again by itself: what is not there yet shows as soon as it is."""
    looks = itertools.count()

    @st.fragment(run_every=REFRESH_S)
    def look() -> None:
        if next(looks):  # not at once, but when the time has come
            st.rerun()

    look()


def not_known(answer: NotKnown) -> None:
    """Says that this source cannot tell."""
    st.info(answer.reason, icon=":material/visibility_off:")


def foot() -> None:
    """Where all this comes from, and what that source can never tell."""
    source = reading.source()
    st.caption(" · ".join([f"Source: {plain(source.label)}", *source.limits()]))
