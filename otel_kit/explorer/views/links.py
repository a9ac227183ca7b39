"""Addresses: a URL carries the page, the saga, the view and the selected span."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st
from streamlit.errors import StreamlitAPIException

from otel_kit.explorer.model.facts import SpanKey

SAGAS: Final = ""
SAGA: Final = "saga"
COMPARE: Final = "compare"
FILE: Final = "file"
_PAGES: Final = "otel_kit.pages"
_HERE: Final = "otel_kit.page"


def know(pages: Sequence[Any], here: Any) -> None:
    """Remember the pages of this run, to go to, and which of them is shown."""
    st.session_state[_PAGES] = {page.url_path: page for page in pages}
    st.session_state[_HERE] = here.url_path


def to(page: str, **parameters: str) -> str:
    """The address of a page below the explorer's own; empty parameters are left out."""
    said = {name: value for name, value in parameters.items() if value}
    return f"{page or './'}?{urlencode(said)}" if said else page or "./"


def to_saga(saga_id: str, *, view: str = "", span: SpanKey | None = None) -> str:
    """The address of a saga's page."""
    return to(SAGA, id=saga_id, view=view, span=".".join(span) if span else "")


def go(address: str) -> NoReturn:
    """Open one of the addresses made here, without a new session."""
    parts = urlsplit(address)
    page = st.session_state[_PAGES][parts.path.strip("./")]
    wanted = dict(parse_qsl(parts.query))
    if page.url_path == st.session_state[_HERE]:
        # Streamlit lets nobody write what a widget of this page has bound, not even unchanged.
        with contextlib.suppress(StreamlitAPIException):
            _rewrite(wanted)
            st.rerun()
    st.switch_page(page, query_params=wanted)


def _rewrite(wanted: Mapping[str, str]) -> None:
    for name in [name for name in st.query_params if name not in wanted]:
        del st.query_params[name]
    for name, value in wanted.items():
        if st.query_params.get(name) != value:
            st.query_params[name] = value


def selected_span() -> SpanKey | None:
    """The span that the address names."""
    trace_id, _, span_id = st.query_params.get("span", "").partition(".")
    return (trace_id, span_id) if span_id else None


def select_span(key: SpanKey | None) -> None:
    """Write the selected span into the address."""
    if key is None:
        st.query_params.pop("span", None)
    else:
        st.query_params["span"] = ".".join(key)
