"""The service map: click an edge for its facts and sagas; or one saga's path over it."""

import time
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from otel_kit.explorer.charts import service_map as chart
from otel_kit.explorer.model import map_layout, map_path, words
from otel_kit.explorer.model.map_layout import Layout
from otel_kit.explorer.model.map_path import Leg
from otel_kit.explorer.model.service_map import EdgeKey, ServiceMap, path_over, service_map
from otel_kit.explorer.source import NotKnown
from otel_kit.explorer.views import links, map_facts, map_sagas, markdown, reading, shell
from otel_kit.explorer.views.reading import Opened

_KEY: Final = "map_figure"
_DRAWN: Final = "otel_kit.map_drawn"
_STEADY_S: Final = 15.0
_EMPTY: Final = (
    "Nothing on the map yet. A service is on it as soon as it runs `otel_kit.instrument(…)` and "
    "sends or receives a request or a message."
)


def page() -> None:
    """The map of everything, or with ``saga`` in the URL that saga's path over it."""
    saga_id = st.query_params.get("saga", "")
    every = shell.heading("Map", live=True)
    with shell.answering("map"):
        opened = reading.opened(saga_id) if saga_id else None
        if opened is not None:
            _head(opened)
        elif saga_id:
            st.warning(f"{reading.source().label} has no saga “{saga_id}”.")
    st.fragment(_body, run_every=every)(saga_id)


def _body(saga_id: str) -> None:
    with shell.answering("map_body"):
        figures = reading.figures()
        opened = reading.opened(saga_id) if saga_id else None
        if isinstance(figures.edges, NotKnown):
            shell.not_known(figures.edges)
        drawn, legs = _with_path(service_map(figures.around, figures.window_s), opened)
        if not drawn.nodes:
            st.info(_EMPTY, icon=":material/hub:")
            return
        _show(drawn, figures.window_s, legs, opened)


def _with_path(drawn: ServiceMap, opened: Opened | None) -> tuple[ServiceMap, tuple[Leg, ...]]:
    if opened is None:
        return drawn, ()
    return map_path.legs(drawn, path_over(opened.story), opened.story.started_ns)


def _show(
    drawn: ServiceMap, window_s: float | None, legs: tuple[Leg, ...], opened: Opened | None
) -> None:
    selected = links.selected_on_map()
    shown = chart.Shown(
        drawn, _placed(drawn), window_s, selected, {leg.key: leg for leg in legs}
    )  # fmt: skip
    figure = chart.figure(replace(shown, drawn=_steady(drawn)), shell.palette())
    left, right = st.columns([7, 3], gap="medium")
    with left:
        st.plotly_chart(
            figure, key=_KEY, on_select=_clicked, selection_mode="points", theme=None,
            config={"displayModeBar": False},
            alt="Services and brokers, and what passes between them",
        )  # fmt: skip
    with right:
        map_facts.show(shown, opened.detail.saga.id if opened else "")
    if opened is None:
        map_sagas.show(drawn, selected)


def _steady(drawn: ServiceMap) -> ServiceMap:
    """The map as it was drawn last, until something comes, goes or breaks, or it is 15 s old.

    Streamlit makes a new chart of every other figure, which closes what one points at; what stands
    beside the map is always new.
    """
    shape = (
        reading.source().label,
        [(node.name, node.kind, [mark.kind for mark in node.marks]) for node in drawn.nodes],
        [(edge.key, [mark.kind for mark in edge.marks]) for edge in drawn.edges],
    )
    held = st.session_state.get(_DRAWN)
    if held is None or held[0] != shape or time.monotonic() > held[1]:
        held = st.session_state[_DRAWN] = (shape, time.monotonic() + _STEADY_S, drawn)
    same: ServiceMap = held[2]
    return same


def _head(opened: Opened) -> None:
    saga = opened.detail.saga
    left, right = st.columns([6, 1], vertical_alignment="center")
    name = markdown.plain(saga.id)
    left.markdown(
        f"The path of **{name}**, {words.duration(saga.duration_s)} long: in which order the saga "
        "came to each edge, how long after its start, and how often if more than once."
    )
    if right.button("Whole map", icon=":material/close:"):
        links.go(links.to_map())


def _placed(drawn: ServiceMap) -> Layout:
    return _laid_out(
        tuple(node.name for node in drawn.nodes), tuple(edge.key for edge in drawn.edges)
    )


@st.cache_data(max_entries=32, show_spinner=False)
def _laid_out(names: tuple[str, ...], keys: tuple[EdgeKey, ...]) -> Layout:
    return map_layout.layout(names, keys)


def _clicked() -> None:
    """Write what was clicked into the URL; a figure that is drawn anew says that nothing is."""
    chosen: Any = st.session_state[_KEY]
    for point in chosen["selection"]["points"][:1]:
        said = point["customdata"]
        links.select_on_map(EdgeKey(*said) if len(said) == 3 else said[0])
