"""The start page: find a saga by its id, or see which ones are in trouble."""

import time
from typing import Final, cast

import streamlit as st

from otel_kit.explorer.model.state import STATES
from otel_kit.explorer.source import NotKnown, SagaPage, SagaSearch
from otel_kit.explorer.source.base import Order
from otel_kit.explorer.views import links, reading, saga_list, shell

_ORDERS: Final = {
    "newest": "Newest first",
    "stalest": "Stalest in progress",
    "oldest": "Oldest first",
}
_WITHIN: Final = {
    "15 minutes": 900, "hour": 3600, "6 hours": 21600, "day": 86400, "week": 604800
}  # fmt: skip
_LASTING: Final = {"1 s": 1.0, "10 s": 10.0, "1 m": 60.0, "10 m": 600.0, "1 h": 3600.0}
_PAGE: Final = 25


def page() -> None:
    """Search box, filters, counts by state, and the list."""
    every = shell.heading("Sagas", live=True)
    with shell.answering("filters"):
        search = _asked()

        @st.fragment(run_every=every)
        def live() -> None:
            with shell.answering("sagas"):
                _answer(search)

        live()


def _asked() -> SagaSearch:
    """What the visitor looks for; every choice stands in the URL."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        contains = st.text_input(
            "Business id", key="q", bind="query-params", live=True, width=420, on_change=_first,
            placeholder="an order number, or a part of it", icon=":material/search:",
        )  # fmt: skip
        order = st.segmented_control(
            "Order", list(_ORDERS), default="newest", format_func=_ORDERS.__getitem__,
            key="order", bind="query-params", required=True, on_change=_first,
        )  # fmt: skip
        with st.popover(_filters_label(), icon=":material/tune:"):
            name = _choice("Name", "name", _names())
            service = _choice("Passed through", "service", _services())
            within = _choice("Started within the last", "within", list(_WITHIN))
            least = _choice("Lasting at least", "least", list(_LASTING))
            most = _choice("Lasting at most", "most", list(_LASTING))
    return SagaSearch(
        contains=(contains or "").strip(),
        states=tuple(state for state in _states() if state in STATES),
        name=name or "",
        service=service or "",
        started_after_ns=time.time_ns() - _WITHIN[within] * 10**9 if within else None,
        least_s=_LASTING[least] if least else None,
        most_s=_LASTING[most] if most else None,
        order=cast(Order, order),
        limit=_PAGE,
        cursor=st.query_params.get("cursor", ""),
    )


def _choice(label: str, key: str, choices: list[str]) -> str | None:
    """One of many or none; a value from the URL that is none of them is kept, and finds nothing."""
    return st.selectbox(
        label, choices, index=None, key=key, bind="query-params", placeholder="any",
        on_change=_first,
    )  # fmt: skip


def _first() -> None:
    """Another question begins at its first page."""
    st.query_params.pop("cursor", None)


def _filters_label() -> str:
    on = sum(
        1 for key in ("name", "service", "within", "least", "most") if st.session_state.get(key)
    )
    return f"Filters ({on})" if on else "Filters"


def _names() -> list[str]:
    found = reading.saga_names()
    return [] if isinstance(found, NotKnown) else list(found.rows)


def _services() -> list[str]:
    edges = reading.figures().around.edges or ()
    named = {row.client for row in edges} | {row.server for row in edges}
    return sorted(named - {"unknown"})


def _states() -> list[str]:
    return st.query_params.get("state", "").split(",")


# -- the answer ------------------------------------------------------------------------------------


def _answer(search: SagaSearch) -> None:
    source = reading.source()
    counts = source.count_by_state(search)
    here = {key: value for key, value in st.query_params.items() if key != "cursor"}
    if isinstance(counts, NotKnown):
        shell.not_known(counts)
    else:
        saga_list.show_counts(counts.rows, search.states, here, shell.palette())
    found = source.find_sagas(search)
    for note in found.notes:
        st.caption(f":material/info: {note}")
    if not found.rows and not found.next:
        _nothing(search)
        return
    saga_list.show_rows(found.rows, reading.now_ns(), shell.palette())
    _further(search, found, here)


def _further(search: SagaSearch, found: SagaPage, here: dict[str, str]) -> None:
    with st.container(horizontal=True):
        if search.cursor and st.button("First page", icon=":material/first_page:"):
            links.go(links.to(links.SAGAS, **here))
        if found.next and st.button("Next page", icon=":material/navigate_next:"):
            links.go(links.to(links.SAGAS, **here, cursor=found.next))


def _nothing(search: SagaSearch) -> None:
    if search.contains:
        st.info(f"No saga has “{search.contains}” in its id.", icon=":material/search_off:")
    elif search == SagaSearch(limit=_PAGE):
        st.info(
            "No sagas yet. They show as soon as a service runs "
            '`with otel_kit.saga("order", order_id): …`',
            icon=":material/hourglass_empty:",
        )
    else:
        st.info("No saga fits these filters.", icon=":material/filter_alt_off:")
