"""One saga: what happened, in one sentence, and then every way to look at it."""

from collections.abc import Callable
from typing import Final, NamedTuple

import streamlit as st

from otel_kit.explorer.views import (
    reading,
    saga_actions,
    saga_compare,
    saga_head,
    saga_ledger,
    saga_logs,
    saga_path,
    saga_sequence,
    saga_timeline,
    saga_traces,
    shell,
    span_panel,
)
from otel_kit.explorer.views.markdown import plain
from otel_kit.explorer.views.reading import Opened


class _Section(NamedTuple):
    title: str
    icon: str
    show: Callable[[Opened], None]


SECTIONS: Final = {
    "timeline": _Section("Timeline", "view_timeline", saga_timeline.show),
    "path": _Section("Critical path", "route", saga_path.show),
    "sequence": _Section("Sequence", "swap_horiz", saga_sequence.show),
    "ledger": _Section("Steps and compensations", "undo", saga_ledger.show),
    "logs": _Section("Logs", "notes", saga_logs.show),
    "compare": _Section("Compare", "compare_arrows", saga_compare.show),
    "traces": _Section("Traces", "account_tree", saga_traces.show),
}
"""By the name that the URL carries in ``view``.  To add one: a module with ``show(opened)``."""

_CHOSEN: Final = "section"


def page() -> None:
    """The saga that the URL names."""
    saga_id = st.query_params.get("id", "")
    if not saga_id:
        shell.heading("Saga")
        st.info("Choose one from the list of sagas.", icon=":material/list_alt:")
        return
    shell.expect_charts()
    with shell.answering("saga"):
        opened = reading.opened(saga_id)
        if opened is None:
            shell.heading(saga_id)
            st.warning(plain(f"{reading.source().label} has no saga “{saga_id}”."))
            shell.again_soon()
            return
        every = shell.REFRESH_S if opened.in_progress and reading.is_live() else None
        st.fragment(_body, run_every=every)(saga_id)


def _body(saga_id: str) -> None:
    """All of the page, so that a saga in progress is followed."""
    with shell.answering("body"):
        opened = reading.opened(saga_id)
        if opened is None:
            return
        saga_head.show(opened)
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            chosen = _chosen()
            saga_actions.show(opened)
        SECTIONS[chosen].show(opened)
        span_panel.show(opened)


def _chosen() -> str:
    """The section that the URL names, else the first.

    Streamlit's own binding would put the title into the URL, with its icon.
    """
    named = st.query_params.get("view", "")
    st.session_state[_CHOSEN] = named if named in SECTIONS else next(iter(SECTIONS))
    chosen = st.segmented_control(
        "View", list(SECTIONS), required=True, key=_CHOSEN, on_change=_choose,
        format_func=lambda name: f":material/{SECTIONS[name].icon}: {SECTIONS[name].title}",
        label_visibility="collapsed",
    )  # fmt: skip
    return chosen or next(iter(SECTIONS))


def _choose() -> None:
    st.query_params["view"] = st.session_state[_CHOSEN]
