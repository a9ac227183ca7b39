"""What a saga did and what it undid: the compensation ledger, and every step with its time."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

import streamlit as st

from otel_kit.explorer.model import ledger, words
from otel_kit.explorer.model.ledger import Entry, Result
from otel_kit.explorer.model.pace import Pace, paces
from otel_kit.explorer.model.steps import Step
from otel_kit.explorer.views import links, markdown, saga_list, shell
from otel_kit.explorer.views.linked import Linked
from otel_kit.explorer.views.reading import Opened

_RESULTS: Final[dict[Result, tuple[str, str]]] = {
    "open": ("in progress", "muted"),
    "failed": ("failed, nothing to undo", "error"),
    "stands": ("done", "good"),
    "compensating": ("being undone", "undo"),
    "compensated": ("undone", "undo"),
    "compensation_failed": ("could not be undone", "error"),
    "missing": ("never undone", "error"),
}
"""Words and the colour's name."""
_LEDGER: Final = ("Action", "In", "Attempts", "Took", "Compensation", "Attempts", "Took", "Result")
_STEPS: Final = ("Step", "In", "Attempts", "Took", "Usual median", "Usual p99", "")
_NUMBERS: Final = frozenset({"Attempts", "Took", "Usual median", "Usual p99"})
_MOST: Final = 500
"""Lines shown of each table."""


def show(opened: Opened) -> None:
    """What was undone, in a sentence and line by line; then all steps beside the usual."""
    verdict = opened.verdict
    if not verdict.steps:
        st.info("No step of this saga is stored: steps show once a service runs otel_kit.step().")
        return
    colours = saga_list.colours(shell.palette())
    entries, said = verdict.ledger.entries, ledger.sentence(verdict.ledger, verdict.state)
    html = f"<p>{markdown.inline_html(said)}</p>"
    html += _table(_LEDGER, (_entry(opened.detail.saga.id, entry) for entry in entries[:_MOST]))
    found = paces(verdict.steps, verdict.usual, opened.now_ns)
    html += f"<h2>All steps</h2><p>{_learned_from(opened)}</p>"
    html += _table(_STEPS, (_step_cells(opened.detail.saga.id, pace) for pace in found[:_MOST]))
    _TABLES.show(html, key="ledger", colours=colours)
    if len(found) > _MOST:
        st.caption(f"The first {_MOST} of {words.count(len(found), 'step')}.")


def _learned_from(opened: Opened) -> str:
    usual = opened.verdict.usual
    if usual is None or not usual.sagas:
        return "No healthy saga of this name has ended yet: what is usual is not known."
    kind = escape(opened.detail.saga.name)
    return f"Usual: learned from {words.count(usual.sagas, f'healthy {kind} saga')}."


def _table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    named = "".join(
        f'<th scope="col"{_numeric(head in _NUMBERS)}>{head}</th>' for head in heads
    )  # fmt: skip
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{named}</tr></thead><tbody>{body}</tbody></table>"


def _numeric(yes: bool) -> str:
    return ' class="n"' if yes else ""


# -- the ledger ------------------------------------------------------------------------------------


def _entry(saga_id: str, entry: Entry) -> Iterator[str]:
    text, colour = _RESULTS[entry.result]
    action, undoing = entry.action, entry.compensation
    yield f"<td>{_name(saga_id, action)}</td>"
    yield f"<td>{escape(action.service) if action else ''}</td>"
    yield from _facts(action)
    yield f"<td>{_name(saga_id, undoing) if undoing else '—'}</td>"
    yield from _facts(undoing)
    yield f'<td><span class="chip" style="--c:var(--{colour})">{text}</span></td>'


def _name(saga_id: str, step: Step | None) -> str:
    """A link to its last span, and what went wrong."""
    if step is None:
        return "<em>not seen</em>"
    name = escape(step.name + (f" #{step.number}" if step.number > 1 else ""))
    if step.spans:
        address = links.to_saga(saga_id, view="ledger", span=step.spans[-1])
        name = f'<a href="{escape(address)}">{name}</a>'
    return f"<b>{name}</b>{_error(step)}"


def _error(step: Step) -> str:
    if not step.error:
        return ""
    why = f": {step.reason}" if step.reason else ""
    return f'<small class="bad">{escape(step.error.replace("_", " ") + why)}</small>'


def _facts(step: Step | None) -> Iterator[str]:
    if step is None:
        yield "<td></td><td></td>"
        return
    took = "not ended" if step.duration_s is None else words.duration(step.duration_s)
    retried = " retry" if step.attempts > 1 else ""
    yield f'<td class="n{retried}">{step.attempts}</td><td class="n">{took}</td>'


# -- all steps -------------------------------------------------------------------------------------


def _step_cells(saga_id: str, pace: Pace) -> Iterator[str]:
    step, usual = pace.step, pace.usual
    undoing = " <small>compensation</small>" if step.kind == "compensation" else ""
    yield f"<td>{_name(saga_id, step)}{undoing}</td><td>{escape(step.service)}</td>"
    yield f'<td class="n{" retry" if step.attempts > 1 else ""}">{step.attempts}</td>'
    so_far = " so far" if step.open else ""
    late = " bad" if pace.late else ""
    yield f'<td class="n{late}">{words.duration(pace.took_s)}{so_far}</td>'
    yield f'<td class="n">{words.duration(usual.p50_s) if usual else "—"}</td>'
    yield f'<td class="n">{words.duration(usual.p99_s) if usual else "—"}</td>'
    yield f"<td>{_mark(pace)}</td>"


def _mark(pace: Pace) -> str:
    if not pace.late:
        return ""
    return '<span class="chip" style="--c:var(--error)">longer than usual</span>'


_TABLES: Final = Linked("saga_ledger", "chip")
