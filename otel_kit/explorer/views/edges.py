"""All pairs of services: how often they talk, how fast, and what goes wrong."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from otel_kit.explorer.charts import bars, error_classes, map_hover, quantiles
from otel_kit.explorer.model import words
from otel_kit.explorer.model.service_map import Edge, hurts_first, service_map
from otel_kit.explorer.source import NotKnown
from otel_kit.explorer.views import columns, links, reading, shell

_DRAWN: Final = 20
_EMPTY: Final = (
    "No edges yet. They show as soon as a service runs `otel_kit.instrument(…)` and sends or "
    "receives a request or a message."
)
_COLUMNS: Final[dict[str, Any]] = {
    "Calls": columns.count("Requests and messages that the metrics counted."),
    "Rate": st.column_config.NumberColumn(help="Calls a second.", format="%.2f /s"),
    "Faults": columns.share(
        "What went wrong on the way or in the callee: timeout, connection, server_error, …", "red"
    ),
    "Refusals": columns.share(
        "The caller's mistake or wish, or the application's own no: client_error, business, "
        "cancelled.",
        "gray",
    ),
    "Errors": st.column_config.TextColumn(help="By class.", width="medium"),
    **{name: columns.milliseconds("Duration.") for name in ("p50", "p95", "p99")},
    **{
        f"Wait {name}": columns.milliseconds("In the queue, from sending to start of handling.")
        for name in ("p50", "p95", "p99")
    },
    "Measured by": st.column_config.TextColumn(
        help="Whose durations these are: the callee's where it reports, else the caller's."
    ),
}


def page() -> None:
    """A table, and its latencies and errors as charts; a chosen row opens on the map."""
    every = shell.heading("Edges", live=True)
    with shell.answering("edges_filter"):
        service = _asked()

        @st.fragment(run_every=every)
        def live() -> None:
            with shell.answering("edges"):
                _body(service)

        live()


def _asked() -> str:
    edges = reading.figures().around.edges or ()
    known = sorted({name for row in edges for name in (row.client, row.server)})
    chosen = st.selectbox(
        "Service", known, index=None, key="service", bind="query-params", placeholder="any",
        width=260,
    )  # fmt: skip
    return chosen or ""


def _body(service: str) -> None:
    figures = reading.figures()
    if isinstance(figures.edges, NotKnown):
        shell.not_known(figures.edges)
        return
    drawn = service_map(figures.around, figures.window_s)
    found = [edge for edge in drawn.edges if service in ("", edge.client, edge.server)]
    if not found:
        said = f"No edge begins or ends at “{service}”." if service else _EMPTY
        st.info(said, icon=":material/swap_horiz:")
        return
    worst = hurts_first(found)
    st.caption(
        f"{words.count(len(worst), 'edge')}, counted {words.window(figures.window_s)}; what hurts "
        "is on top. Choose a row to see it on the map."
    )
    _table(worst)
    _charts(worst)


def _table(worst: Sequence[Edge]) -> None:
    rated = any(edge.rate is not None for edge in worst)
    waits = any(edge.queue.p50_s is not None for edge in worst)
    rows = [_row(edge, rated, waits) for edge in worst]
    chosen = st.dataframe(
        rows, hide_index=True, column_config=_COLUMNS, key="edges_table", on_select="rerun",
        selection_mode="single-row", placeholder="",
    )  # fmt: skip
    for number in chosen.selection.rows[:1]:
        if number < len(worst):
            links.go(links.to_map(worst[number].key))


def _row(edge: Edge, rated: bool, waits: bool) -> dict[str, object]:
    return {
        "Client": edge.client,
        "Server": edge.server,
        "Transport": edge.transport,
        "Calls": edge.calls,
        **({"Rate": edge.rate} if rated else {}),
        "Faults": edge.fault_share * 100,
        "Refusals": edge.refusal_share * 100,
        "Errors": map_hover.classes(edge),
        **columns.quantiles("", edge.duration, 1e3),
        **(columns.quantiles("Wait ", edge.queue, 1e3) if waits else {}),
        "Measured by": edge.side,
    }


# -- charts ----------------------------------------------------------------------------------------


def _charts(worst: Sequence[Edge]) -> None:
    palette = shell.palette()
    timed = [edge for edge in worst if edge.duration.p50_s is not None]
    timed.sort(key=lambda edge: -max(edge.duration.p99_s or 0.0, edge.queue.p99_s or 0.0))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("##### How long it takes: p50 ○, p95 ●, p99 ◆")
        colours = {"duration": palette.kinds["work"], "in the queue": palette.kinds["queue"]}
        rows = [
            quantiles.Row(_name(e), {"duration": e.duration, "in the queue": e.queue})
            for e in timed[:_DRAWN]
        ]
        columns.chart(
            quantiles.dots(rows, colours, palette), key="edges_dots",
            alt="Quantiles of the duration of each edge",
        )  # fmt: skip
        _left_out(len(timed), "the slowest")
    with right:
        st.markdown("##### What goes wrong, by error class")
        _errors([edge for edge in worst if edge.errors])


def _errors(wrong: list[Edge]) -> None:
    if not wrong:
        st.success("No errors on any of these edges.", icon=":material/check:")
        return
    wrong.sort(key=lambda edge: -sum(edge.errors.values()))
    palette = shell.palette()
    figure = bars.stacked(
        [(_name(edge), edge.errors) for edge in wrong[:_DRAWN]], error_classes.colours(palette),
        palette,
    )  # fmt: skip
    columns.chart(figure, key="edges_errors", alt="Errors of each edge by class")
    _left_out(len(wrong), "those with the most errors")


def _left_out(many: int, which: str) -> None:
    if many > _DRAWN:
        st.caption(f"{_DRAWN} of {many} edges are drawn, {which}.")


def _name(edge: Edge) -> str:
    return f"{edge.client} → {edge.server} · {edge.transport}"
