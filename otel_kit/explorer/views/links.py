"""Addresses: a URL carries the page, the saga, the view and the selected span."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st
from streamlit.errors import StreamlitAPIException

from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.service_map import EdgeKey

SAGAS: Final = ""
SAGA: Final = "saga"
COMPARE: Final = "compare"
MAP: Final = "map"
EDGES: Final = "edges"
QUEUES: Final = "queues"
BREAKERS: Final = "breakers"
PROPAGATION: Final = "propagation"
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


def here(**parameters: str) -> str:
    """The address of this page as it stands, with `parameters` set; empty ones are left out."""
    return to(SAGA, **{**st.query_params.to_dict(), **parameters})


def to_map(selected: EdgeKey | str | None = None, *, saga_id: str = "") -> str:
    """The address of the map with an edge or a node selected, and a saga's path over it."""
    return to(MAP, saga=saga_id, **_said(selected))


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


def selected_on_map() -> EdgeKey | str | None:
    """The edge, or the name of the node, that the address names."""
    asked = st.query_params
    if "client" in asked and "server" in asked:
        return EdgeKey(asked["client"], asked["server"], asked.get("transport", ""))
    return asked.get("node") or None


def select_on_map(selected: EdgeKey | str | None) -> None:
    """Write the selected edge or node into the address."""
    said = _said(selected)
    for name in ("client", "server", "transport", "node"):
        if said.get(name):
            st.query_params[name] = said[name]
        else:
            st.query_params.pop(name, None)


def _said(selected: EdgeKey | str | None) -> dict[str, str]:
    if isinstance(selected, EdgeKey):
        return selected._asdict()
    return {"node": selected} if selected else {}
