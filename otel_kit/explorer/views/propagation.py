"""Propagation: on which hops the context is lost, since when, and why."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from otel_kit.explorer.charts import bars
from otel_kit.explorer.model import words
from otel_kit.explorer.source import NotKnown
from otel_kit.explorer.views import columns, markdown, reading, shell
from otel_kit.records import PropagationRecord

_DRAWN: Final = 30
_CAUSES: Final = 5
_EMPTY: Final = (
    "Nothing has been received yet. Every request and message that a service takes is counted "
    "here, once `otel_kit.instrument(…)` ran there."
)
_COLUMNS: Final[dict[str, Any]] = {
    "Client": st.column_config.TextColumn(
        help="As it said itself; with a question mark: found by elimination."
    ),
    "Destination": st.column_config.TextColumn(help="Topic or queue, empty for requests."),
    "Lost": columns.share("Share that came without the context it should have had.", "red"),
    "Continued": columns.count("Carried on the trace of the caller."),
    "Missing": columns.count("Came without trace headers."),
    "Invalid": columns.count("Came with a malformed traceparent."),
    "Stale": columns.count("Came through somebody who is not instrumented."),
    "Likely cause": st.column_config.TextColumn(width="large"),
}


def page() -> None:
    """A sentence, a bar for each hop, and a table; the worst first."""
    every = shell.heading("Propagation", live=True)
    st.fragment(_body, run_every=every)()


def _body() -> None:
    with shell.answering("propagation"):
        answer = reading.figures().propagation
        if isinstance(answer, NotKnown):
            shell.not_known(answer)
        elif not answer.rows:
            st.info(_EMPTY, icon=":material/link:")
        else:
            _show(sorted(answer.rows, key=_pain), answer.window_s)


def _show(worst: Sequence[PropagationRecord], window_s: float | None) -> None:
    losing = [hop for hop in worst if hop.lost]
    _sentence(worst, losing, words.window(window_s))
    told = bool(losing) and window_s is None
    st.dataframe(
        [_row(hop, told=told) for hop in worst], hide_index=True, column_config=_COLUMNS,
        key="propagation_table", placeholder="",
    )  # fmt: skip
    if losing:
        _chart(worst)


def _chart(worst: Sequence[PropagationRecord]) -> None:
    palette = shell.palette()
    colours = {
        "missing": palette.error,
        "invalid": palette.compensation,
        "stale": palette.kinds["queue"],
        "continued": palette.good,
    }
    st.markdown("##### What became of the context")
    rows = [(_name(hop), hop.results) for hop in worst[:_DRAWN]]
    columns.chart(
        bars.stacked(rows, colours, palette, shares=True), key="propagation_bars",
        alt="What became of the context on each hop",
    )  # fmt: skip
    if len(worst) > _DRAWN:
        st.caption(f"{_DRAWN} of {len(worst)} hops are drawn, the worst.")


def _sentence(
    worst: Sequence[PropagationRecord], losing: Sequence[PropagationRecord], window: str
) -> None:
    total = sum(sum(hop.results.values()) for hop in worst)
    hops = words.count(len(worst), "hop")
    if not losing:
        st.success(
            f"All is well: {words.number(total)} requests and messages on {hops} {window}, and "
            "every one continued its trace.",
            icon=":material/check_circle:",
        )
        return
    lost = words.number(sum(hop.lost for hop in losing))
    st.warning(
        f"Context is lost on {len(losing)} of {hops}: {lost} of {words.number(total)} requests and "
        f"messages {window} came without it, so their traces fall apart there.",
        icon=":material/link_off:",
    )
    causes = [hop for hop in losing if hop.likely_cause][:_CAUSES]
    st.markdown(
        "\n".join(
            f"- **{markdown.plain(_name(hop))}**: {markdown.plain(hop.likely_cause)}."
            for hop in causes
        )
    )


def _row(hop: PropagationRecord, *, told: bool) -> dict[str, object]:
    now = reading.now_ns()
    times = {
        "Since": columns.ago(hop.since_ns and hop.since_ns / 1e9, now),
        "Last": columns.ago(hop.last_ns and hop.last_ns / 1e9, now),
        "Likely cause": hop.likely_cause,
    }
    return {
        "Client": f"{hop.client} ?" if hop.inferred else hop.client,
        "Server": hop.server,
        "Transport": hop.transport,
        "Destination": hop.destination,
        "Lost": hop.rate * 100,
        **{
            result.capitalize(): hop.results.get(result, 0)
            for result in ("missing", "invalid", "stale", "continued")
        },
        **(times if told else {}),
    }


def _name(hop: PropagationRecord) -> str:
    where = hop.destination or hop.transport
    return f"{hop.client} → {hop.server} · {where}"


def _pain(hop: PropagationRecord) -> tuple[float, int, str, str, str]:
    return -hop.rate, -hop.lost, hop.client, hop.server, hop.destination
