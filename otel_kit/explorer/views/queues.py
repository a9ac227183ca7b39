"""Queues: how far behind, how old, when empty; and whether it is the queue or the handler."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from otel_kit.explorer.charts import backlog as backlog_chart
from otel_kit.explorer.charts import quantiles
from otel_kit.explorer.model import backlog, words
from otel_kit.explorer.model.backlog import Queue, Readings
from otel_kit.explorer.source import NotKnown
from otel_kit.explorer.views import columns, markdown, reading, shell

_READINGS: Final = "otel_kit.backlog"
_LINES: Final = 8
_DRAWN: Final = 20
_EMPTY: Final = (
    "No queues yet. Kafka consumers report theirs by themselves once `otel_kit.instrument(…)` ran; "
    "any other reports by `otel_kit.watch_queue(name, depth=…)`."
)
_CHIPS: Final[dict[str, str]] = {
    "consumer gone": "red",
    "stands still": "red",
    "grows": "orange",
    "waiting": "yellow",
    "drains": "blue",
    "unknown": "gray",
    "empty": "green",
}
_COLUMNS: Final[dict[str, Any]] = {
    "State": columns.chip(
        "consumer gone: its group took messages before and no longer reports; stands still: "
        "messages wait and none was taken for 90 s; grows, drains: by its readings here.",
        _CHIPS,
    ),
    "Lag": columns.count("Messages sent but not yet handled by the group."),
    "Oldest": columns.seconds("Age of the oldest message that is not handled."),
    "Depth": columns.count("Messages held, as the queue itself says."),
    "Empty in": st.column_config.TextColumn(help="At its pace of the last minutes."),
    "Consumed": columns.count("Messages taken, as far as the source counts back."),
    **{
        f"Wait {name}": columns.seconds("From sending to the start of handling.")
        for name in ("p50", "p95", "p99")
    },
    **{
        f"Handling {name}": columns.seconds(
            "Of all messages its consumers handle; metrics do not tell it by queue."
        )
        for name in ("p50", "p95", "p99")
    },
}


def page() -> None:
    """What is wrong, a table, waiting next to handling, and the backlog over time."""
    every = shell.heading("Queues", live=True)
    st.fragment(_body, run_every=every)()


def _body() -> None:
    with shell.answering("queues"):
        figures = reading.figures()
        if isinstance(figures.queues, NotKnown):
            shell.not_known(figures.queues)
            return
        rows = figures.queues.rows
        if not rows:
            st.info(_EMPTY, icon=":material/stacks:")
            return
        readings = _readings()
        readings.add(rows, reading.now_ns())
        around = figures.around
        found = backlog.queues(rows, around.edges or (), around.propagation or (), readings.of)
        _sentences(found)
        since = words.window(figures.queues.window_s)
        st.caption(
            f"{words.count(len(found), 'queue')}, what hurts on top; consumed and waits {since}."
        )
        st.dataframe(
            [_row(queue) for queue in found], hide_index=True, column_config=_COLUMNS,
            key="queues_table", placeholder="",
        )  # fmt: skip
        _charts(found, readings)


def _readings() -> Readings:
    """Those of this visitor, of this source."""
    label = reading.source().label
    kept: dict[str, Readings] = st.session_state.setdefault(_READINGS, {})
    return kept.setdefault(label, Readings())


def _sentences(found: Sequence[Queue]) -> None:
    gone = [queue for queue in found if queue.state == "consumer gone"]
    still = [queue for queue in found if queue.state == "stands still"]
    for queue in gone:
        st.error(
            f"The consumer {markdown.plain(queue.row.group)} of "
            f"{markdown.plain(queue.row.destination)} does not report any more: it may be gone.",
            icon=":material/person_off:",
        )
    for queue in still:
        many = words.count(backlog.waiting(queue.row) or 0, "message")
        st.error(
            f"{markdown.plain(queue.row.destination)} stands still: {many} waiting, none taken.",
            icon=":material/front_hand:",
        )


def _row(queue: Queue) -> dict[str, object]:
    row, pace = queue.row, queue.pace
    return {
        "State": [queue.state],
        "Queue": row.destination,
        "Group": row.group,
        "Transport": row.transport,
        "Lag": row.lag,
        "Oldest": row.lag_time_s,
        "Depth": row.depth,
        "Empty in": words.duration(pace.drain_s) if pace and pace.drain_s else "",
        "Consumed": row.consumed,
        **columns.quantiles("Wait ", row.wait),
        **columns.quantiles("Handling ", queue.handling),
        "Handled by": ", ".join(queue.consumers),
    }


# -- charts ----------------------------------------------------------------------------------------


def _charts(found: Sequence[Queue], readings: Readings) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("##### Waiting next to handling: p50 ○, p95 ●, p99 ◆")
        _waits([queue for queue in found if queue.row.wait.p50_s is not None])
    with right:
        st.markdown("##### Backlog")
        _backlog(found, readings)


def _waits(waited: Sequence[Queue]) -> None:
    palette = shell.palette()
    if not waited:
        st.caption("Nothing was taken from a queue yet.")
        return
    colours = {"waiting": palette.kinds["queue"], "handling": palette.kinds["work"]}
    rows = [
        quantiles.Row(_name(queue), {"waiting": queue.row.wait, "handling": queue.handling})
        for queue in waited[:_DRAWN]
    ]
    columns.chart(
        quantiles.dots(rows, colours, palette), key="queues_dots",
        alt="Quantiles of waiting and handling for each queue",
    )  # fmt: skip
    st.caption(
        "Long waits next to short handling: too few consumers. Long handling: the handler is slow."
    )


def _backlog(found: Sequence[Queue], readings: Readings) -> None:
    lines = [
        (_name(queue), tuple(readings.of[queue.key]), queue.pace)
        for queue in found
        if any(reading.waiting for reading in readings.of.get(queue.key, ()))
    ]
    kept = words.duration(backlog.KEPT_S)
    note = f"Read while this page is open, at most {kept} back; a source tells only of now."
    if not lines:
        st.success("Nothing has waited since this page is open.", icon=":material/check:")
    else:
        figure = backlog_chart.lines(lines[:_LINES], shell.palette())
        columns.chart(figure, key="queues_backlog", alt="Waiting messages over time")
        note += " Dotted: when it is empty at the pace of the last minutes."
    st.caption(note)


def _name(queue: Queue) -> str:
    row = queue.row
    return f"{row.destination} · {row.group}" if row.group else row.destination
