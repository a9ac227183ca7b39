"""One saga: what happened, in one sentence, and then every way to look at it."""

from collections.abc import Callable
from typing import Final, NamedTuple

import streamlit as st

from otel_kit.explorer.views import (
    reading,
    saga_head,
    saga_logs,
    saga_timeline,
    saga_traces,
    shell,
    span_panel,
)
from otel_kit.explorer.views.reading import Opened


class _Section(NamedTuple):
    title: str
    icon: str
    show: Callable[[Opened], None]


SECTIONS: Final = {
    "timeline": _Section("Timeline", "view_timeline", saga_timeline.show),
    "logs": _Section("Logs", "notes", saga_logs.show),
    "traces": _Section("Traces", "account_tree", saga_traces.show),
}
"""By the name that the URL carries in ``view``.  To add one: a module with ``show(opened)``."""


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
            st.warning(f"{reading.source().label} has no saga “{saga_id}”.")
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
        chosen = st.segmented_control(
            "View", list(SECTIONS), default=next(iter(SECTIONS)), required=True,
            format_func=lambda name: f":material/{SECTIONS[name].icon}: {SECTIONS[name].title}",
            key="view", bind="query-params", label_visibility="collapsed",
        )  # fmt: skip
        SECTIONS[chosen].show(opened)
        span_panel.show(opened)
