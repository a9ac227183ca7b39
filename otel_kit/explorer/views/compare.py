"""Two sagas side by side: what took longer, what was extra."""

import streamlit as st

from otel_kit.explorer.views import differences, markdown, reading, shell
from otel_kit.explorer.views.reading import Opened


def page() -> None:
    """The sagas that the URL names in ``a`` and ``b``; without ``b`` the healthy median."""
    shell.heading("Compare")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        mine = _asked("Saga", "a", "an order number")
        other = _asked("Against", "b", "empty: the healthy median of its kind")
    if not mine:
        st.info("Give the id of a saga, and of another to compare it with.",
                icon=":material/compare_arrows:")  # fmt: skip
        return
    with shell.answering("compare"):
        _compare(mine, other)


def _asked(label: str, key: str, placeholder: str) -> str:
    said = st.text_input(
        label, key=key, bind="query-params", placeholder=placeholder, width=420, max_chars=256
    )
    return (said or "").strip()


def _compare(mine: str, other: str) -> None:
    here = _opened(mine)
    if other:
        there = _opened(other)
        if here and there:
            differences.show(here, there)
    elif here:
        differences.show_median(here)


def _opened(saga_id: str) -> Opened | None:
    opened = reading.opened(saga_id)
    if opened is None:
        st.warning(f"{reading.source().label} has no saga “{markdown.plain(saga_id)}”.")
    return opened
