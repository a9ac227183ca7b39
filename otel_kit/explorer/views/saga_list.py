"""The list of sagas, and the tiles that count them by state."""

import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import words
from otel_kit.explorer.model.state import STATES
from otel_kit.explorer.views import links
from otel_kit.explorer.views.linked import Linked
from otel_kit.records import SagaRecord, StateCount, StepRecord

_HEADS: Final = ("Id", "State", "Step", "Started", "Duration", "Steps", "Errors", "Retries")
_MOST_BLOCKS: Final = 24


def state_word(state: str) -> str:
    """``partially compensated``."""
    return state.replace("_", " ")


def colours(palette: Palette) -> dict[str, str]:
    """CSS variables for `chip` and the bars."""
    states = {f"state-{state}": colour for state, colour in palette.states.items()}
    return {
        **states, "muted": palette.muted, "line": palette.line, "surface": palette.surface,
        "error": palette.error, "good": palette.good, "undo": palette.compensation,
        "open": palette.kinds["open"], "retry": palette.kinds["backoff"],
        "warn": palette.states["stuck"],
    }  # fmt: skip


def chip(state: str) -> str:
    """A state in its colour."""
    colour = f"--c:var(--state-{escape(state)})"
    return f'<span class="chip" style="{colour}">{escape(state_word(state))}</span>'


# -- counts by state -------------------------------------------------------------------------------


def show_counts(
    counts: Sequence[StateCount], chosen: Sequence[str], here: Mapping[str, str], palette: Palette
) -> None:
    """A tile for each state; a click restricts the list to it, a second one lifts that."""
    found = {row.state: row.count for row in counts}
    tiles = [_tile("", sum(found.values()), not chosen, {**here, "state": ""})]
    tiles += [
        _tile(state, found.get(state, 0), state in chosen, _toggled(state, chosen, here))
        for state in STATES
    ]
    html = f'<nav class="tiles" aria-label="Sagas by state">{"".join(tiles)}</nav>'
    _TILES.show(html, key="counts", colours=colours(palette))


def _toggled(state: str, chosen: Sequence[str], here: Mapping[str, str]) -> dict[str, str]:
    left = [each for each in chosen if each != state]
    states = left if state in chosen else [*left, state]
    return {**here, "state": ",".join(states)}


def _tile(state: str, count: int, on: bool, parameters: Mapping[str, str]) -> str:
    address = escape(links.to(links.SAGAS, **parameters))
    classes = "tile" + (" on" if on else "") + ("" if count else " none")
    colour = f"var(--state-{state})" if state else "var(--st-text-color)"
    return (
        f'<a class="{classes}" style="--c:{colour}" href="{address}" aria-current="{on}">'
        f"<b>{words.number(count)}</b><span>{state_word(state) or 'all'}</span></a>"
    )


_TILES: Final = Linked("saga_counts")


# -- rows ------------------------------------------------------------------------------------------


def show_rows(
    sagas: Sequence[SagaRecord], now_ns: int, palette: Palette, key: str = "rows"
) -> None:
    """The list; every row leads to its saga."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "".join(f"<tr>{''.join(_cells(saga, now_ns))}</tr>" for saga in sagas)
    html = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    _ROWS.show(html, key=key, colours=colours(palette))


def _cells(saga: SagaRecord, now_ns: int) -> Iterator[str]:
    address = escape(links.to_saga(saga.id))
    ago = words.duration(max(0, now_ns - saga.started_ns) / 1e9)
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(saga.started_ns / 1e9))
    step = saga.failed_step or saga.step or ""
    failed = ' class="bad"' if saga.failed_step else ""
    name = f"<small>{escape(saga.name)}</small>"
    yield f'<td class="id"><a href="{address}">{escape(saga.id)}</a>{name}</td>'
    yield f"<td>{chip(saga.state)}</td>"
    yield f"<td{failed}>{escape(step)}</td>"
    yield f'<td title="{at} UTC">{ago} ago</td>'
    yield f'<td class="n">{words.duration(saga.duration_s)}</td>'
    yield f'<td><span class="bar">{"".join(map(_block, saga.steps[-_MOST_BLOCKS:]))}</span></td>'
    yield f'<td class="n{" bad" if saga.errors else ""}">{saga.errors or "·"}</td>'
    yield f'<td class="n{" retry" if saga.retries else ""}">{saga.retries or "·"}</td>'


def _block(step: StepRecord) -> str:
    kind = "undo" if step.kind == "compensation" else "do"
    said = f"{step.name}: {step.result}"
    if step.ended_ns is not None:
        said += f", {words.duration((step.ended_ns - step.started_ns) / 1e9)}"
    return f'<i class="{kind} {escape(step.result)}" title="{escape(said)}"></i>'


_ROWS: Final = Linked("saga_rows", "chip")
