"""Everything about the span that the URL names, below whatever section is open."""

from typing import Final

import streamlit as st

from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.logs import by_time
from otel_kit.explorer.views import links, reading, saga_list, shell, span_html
from otel_kit.explorer.views.linked import Linked
from otel_kit.explorer.views.markdown import plain
from otel_kit.explorer.views.reading import Opened
from otel_kit.records import LogRecord

_FEW: Final = 8
"""So many attributes are seen at one glance."""


def show(opened: Opened) -> None:
    """The panel; nothing if no span is selected."""
    key = links.selected_span()
    if key is None:
        return
    span = opened.story.spans.get(key)
    with st.container(border=True, key="span"):
        if span is None:
            _unknown(key)
            return
        head, close = st.columns([12, 1])
        with head:
            _PANEL.show(span_html.head(opened, span), key="span_head", colours=_colours())
        with close:
            _close()
        _page_of(span.trace_id)
        wanted = _wanted(len(span.attributes) + len(span.resource))
        lines = [line for line in by_time(opened.story.logs) if _is_of(line, key)]
        html = span_html.body(opened, span, lines, wanted)
        _PANEL.show(html, key="span_body", colours=_colours())


def _unknown(key: SpanKey) -> None:
    said, close = st.columns([12, 1])
    said.warning(
        f"This saga has no span {plain(key[1])} in trace {plain(key[0])}: it has not arrived yet, "
        "is no longer kept, or the address is wrong.",
        icon=":material/help:",
    )
    with close:
        _close()


def _close() -> None:
    st.button(
        "Close", icon=":material/close:", key="close_span", type="tertiary",
        on_click=links.select_span, args=(None,),
    )  # fmt: skip


def _page_of(trace_id: str) -> None:
    if url := reading.source().trace_url(trace_id):
        st.link_button("Open its trace in Jaeger", url, icon=":material/open_in_new:")


def _wanted(many: int) -> str:
    """What to look for in the attributes; asked only where there are many."""
    if many <= _FEW:
        return ""
    return st.text_input(
        "Find in attributes", key="span_find", live=True, label_visibility="collapsed",
        placeholder="find in attributes", icon=":material/search:", width=300,
    ).strip()  # fmt: skip


def _is_of(line: LogRecord, key: SpanKey) -> bool:
    return (line.trace_id, line.span_id) == key


def _colours() -> dict[str, str]:
    palette = shell.palette()
    kinds = {f"kind-{kind}": colour for kind, colour in palette.kinds.items()}
    return {**saga_list.colours(palette), **kinds, "ink": palette.ink}


_PANEL: Final = Linked("span_panel", "chip", "log_lines")
