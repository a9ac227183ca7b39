"""Circuit breakers: what gives way, since when, and how much it refused."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from otel_kit.explorer.model import words
from otel_kit.explorer.model.stuck import BROKEN
from otel_kit.explorer.source import NotKnown
from otel_kit.explorer.views import columns, reading, shell
from otel_kit.records import BreakerRecord

_EMPTY: Final = """No circuit breaker reports. Those of `pybreaker`, `purgatory`, `circuitbreaker`
and `aiobreaker` do by themselves once `otel_kit.instrument(…)` ran; watch one of your own with

```python
breaker = otel_kit.watch_breaker(bank_breaker, server="bank")
breaker.rejected()  # whenever it refuses a call
```
"""
_CHIPS: Final = {"open": "red", "half open": "orange", "unknown": "gray", "closed": "green"}
"""The worst first."""
_COLUMNS: Final[dict[str, Any]] = {
    "State": columns.chip(
        "The worst of all instances. Half open: a few calls pass, to see whether the dependency "
        "is back.",
        _CHIPS,
    ),
    "Breaker": st.column_config.TextColumn(help="As the application calls it."),
    "In": st.column_config.TextColumn(help="The service that has the breaker."),
    "Guards": st.column_config.TextColumn(help="The service that calls go to."),
    "Since": st.column_config.TextColumn(help="When it entered this state."),
    "Time open": st.column_config.NumberColumn(
        help="Seconds in the state open, all instances together.", format="%.1f s"
    ),
    "Transitions": columns.count("Changes of state."),
    "Refused": columns.count("Calls that it answered in place of the dependency."),
}


def page() -> None:
    """Figures and a table, the worst first."""
    every = shell.heading("Breakers", live=True)
    st.fragment(_body, run_every=every)()


def _body() -> None:
    with shell.answering("breakers"):
        answer = reading.figures().breakers
        if isinstance(answer, NotKnown):
            shell.not_known(answer)
        elif not answer.rows:
            st.info(_EMPTY, icon=":material/power_off:")
        else:
            _show(sorted(answer.rows, key=_pain), answer.window_s)


def _show(worst: Sequence[BreakerRecord], window_s: float | None) -> None:
    _tiles(worst)
    st.dataframe(
        [_row(breaker) for breaker in worst], hide_index=True, column_config=_COLUMNS,
        key="breakers_table",
    )  # fmt: skip
    st.caption(
        f"Time open, transitions and refused calls {words.window(window_s)}. While a breaker is "
        "open its callers fail at once with the error class breaker_open; it closes by itself "
        "after the dependency is back."
    )


def _tiles(worst: Sequence[BreakerRecord]) -> None:
    broken = sum(breaker.state in BROKEN for breaker in worst)
    figures = {
        "Open or half open": f"{broken} of {len(worst)}",
        "Transitions": words.number(sum(breaker.transitions for breaker in worst)),
        "Refused calls": words.number(sum(breaker.rejected for breaker in worst)),
    }
    with st.container(horizontal=True):
        for name, value in figures.items():
            st.metric(name, value, width=200)


def _row(breaker: BreakerRecord) -> dict[str, object]:
    return {
        "State": [_word(breaker.state)],
        "Breaker": breaker.name,
        "In": breaker.service,
        "Guards": breaker.server,
        "Since": columns.ago(breaker.since_s, reading.now_ns()),
        "At": columns.at(breaker.since_s),
        "Time open": breaker.time_open_s,
        "Transitions": breaker.transitions,
        "Refused": breaker.rejected,
    }


def _word(state: str) -> str:
    word = state.replace("_", " ")
    return word if word in _CHIPS else "unknown"


def _pain(breaker: BreakerRecord) -> tuple[int, int, float, str, str]:
    place = list(_CHIPS).index(_word(breaker.state))
    return place, -breaker.rejected, -breaker.time_open_s, breaker.service, breaker.name
