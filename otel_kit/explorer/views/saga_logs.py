"""The log records and events of a whole saga, in order."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from otel_kit.explorer.model import logs, words
from otel_kit.explorer.views import log_lines, reading
from otel_kit.explorer.views.reading import Opened
from otel_kit.records import LogRecord

_PAGE: Final = 200


def show(opened: Opened) -> None:
    """Filters, then a page of lines; a click on a span opens it."""
    story = opened.story
    if not story.logs:
        _nothing()
        return
    found = logs.matching(logs.by_time(story.logs), _asked(story.logs))
    if not found:
        st.info("No line fits these filters.", icon=":material/filter_alt_off:")
        return
    pages = -(-len(found) // _PAGE)
    page = 1
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            page = st.pagination(pages, key="logs_page")
            st.caption(f"{words.count(len(found), 'line')}, {_PAGE} on a page")
    lines = found[(page - 1) * _PAGE : page * _PAGE]
    log_lines.show(lines, story.started_ns, key="log_lines")


def _asked(lines: Sequence[LogRecord]) -> logs.Filter:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        said = st.text_input(
            "Text", key="log_text", bind="query-params", live=True, width=300,
            placeholder="in body, event name or attributes", icon=":material/search:",
        )  # fmt: skip
        services = st.multiselect(
            "Services", sorted({line.service for line in lines}), key="log_service",
            placeholder="all", width=320,
        )  # fmt: skip
        severities = logs.severities(lines)
        least = st.selectbox(
            "Severity at least", severities, index=None, key="log_severity", placeholder="any",
            width=170,
        )  # fmt: skip
    return logs.Filter((said or "").strip(), tuple(services), least or "")


def _nothing() -> None:
    limits = reading.source().limits()
    said = " ".join(limit for limit in limits if "log" in limit.lower())
    if said:
        st.info(said, icon=":material/visibility_off:")
    else:
        st.info("No log record names this saga or one of its traces.", icon=":material/notes:")
