"""The compensation ledger: each action, what undid it, and what came of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from otel_kit.explorer.model import words
from otel_kit.explorer.model.state import State
from otel_kit.explorer.model.steps import Step

Result = Literal[
    "open", "failed", "stands", "compensating", "compensated", "compensation_failed", "missing"
]
_UNDONE: frozenset[State] = frozenset({"compensated", "partially_compensated", "failed"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an action, its compensation, the result.

    ``open``: the action is in progress; ``failed``: it came to nothing, so there is nothing to
    undo; ``stands``: it was done and nothing undoes it (yet); ``compensating``, ``compensated``,
    ``compensation_failed``: what its compensation came to; ``missing``: the saga ended without it,
    though it should have been undone.  `action` is None for a compensation of an action unseen.
    """

    action: Step | None
    compensation: Step | None
    result: Result


@dataclass(frozen=True, slots=True)
class Ledger:
    """All lines, by start; `in_reverse` tells whether what was done last was undone first."""

    entries: tuple[Entry, ...]
    in_reverse: bool

    @property
    def partial(self) -> bool:
        """Whether something that should be undone is not."""
        return any(entry.result in ("compensation_failed", "missing") for entry in self.entries)


def sentence(book: Ledger, state: State) -> str:
    """What was undone, in which order, and what should have been; `names` in backticks."""
    undone = [entry for entry in book.entries if entry.result == "compensated"]
    clauses = [_undone_words(len(undone), book)] if undone else []
    clauses += [
        f"{_AMISS[entry.result]} `{_undoes(entry)}`"
        for entry in book.entries
        if entry.result in _AMISS
    ]
    if not clauses:
        return _nothing(state)
    partly = "Partially compensated: " if book.partial else ""
    said = "; ".join(clauses)
    return f"{partly}{said[0] if partly else said[0].upper()}{said[1:]}."


def _nothing(state: State) -> str:
    if state in _UNDONE:
        return "Nothing was undone."
    return "Nothing had to be undone" + ("." if state == "completed" else " so far.")


def _undone_words(many: int, book: Ledger) -> str:
    said = f"{words.count(many, 'action')} {'was' if many == 1 else 'were'} undone"
    if many == 1:
        return said
    return f"{said}, {'the last first' if book.in_reverse else 'not in reverse order'}"


def _undoes(entry: Entry) -> str:
    if entry.action is not None:
        return entry.action.name
    step = entry.compensation
    return (step.compensates or step.name) if step is not None else ""


_AMISS: Final[dict[Result, str]] = {
    "compensating": "being undone is",
    "compensation_failed": "could not be undone:",
    "missing": "nothing undid",
}


def ledger(found: Sequence[Step], state: State) -> Ledger:
    """Pair the actions of a saga in `state` with their compensations."""
    undoing = [step for step in found if step.kind == "compensation"]
    entries = []
    for action in (step for step in reversed(found) if step.kind == "action"):
        compensation = _take(undoing, action)
        entries.append(Entry(action, compensation, _result(action, compensation, state)))
    entries.reverse()
    entries += [Entry(None, step, _undone(step)) for step in undoing]
    return Ledger(tuple(entries), _in_reverse(entries))


def _take(undoing: list[Step], action: Step) -> Step | None:
    """The first compensation of the action after its begin, taken out of `undoing`.

    Actions come last first, so a repeated one gets the compensation that followed it.
    """
    for step in undoing:
        if step.compensates == action.name and step.started_ns >= action.started_ns:
            undoing.remove(step)
            return step
    return None


def _result(action: Step, compensation: Step | None, state: State) -> Result:
    if compensation is not None:
        return _undone(compensation)
    if action.open:
        return "open"
    if action.error:
        return "failed"
    return "missing" if state in _UNDONE else "stands"


def _undone(compensation: Step) -> Result:
    if compensation.open:
        return "compensating"
    return "compensation_failed" if compensation.error else "compensated"


def _in_reverse(entries: Sequence[Entry]) -> bool:
    """`entries` are by start of the action."""
    starts = [
        entry.compensation.started_ns
        for entry in entries
        if entry.action is not None and entry.compensation is not None
    ]
    return starts == sorted(starts, reverse=True)
