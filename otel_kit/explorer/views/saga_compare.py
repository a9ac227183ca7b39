"""A saga against the healthy median of its kind, or on to another one."""

import streamlit as st

from otel_kit.explorer.views import differences, links
from otel_kit.explorer.views.reading import Opened


def show(opened: Opened) -> None:
    """What differs from the median, and a way to any other saga."""
    differences.show_median(opened)
    if st.button("Compare with another saga", icon=":material/compare_arrows:"):
        links.go(links.to(links.COMPARE, a=opened.detail.saga.id))
