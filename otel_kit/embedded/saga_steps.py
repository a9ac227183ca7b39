"""Reads the steps of a saga from a snapshot of the store, each with all its attempts."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from otel_kit.records import StepRecord
from otel_kit.step_rules import grouped

_MAX_BEGINS: Final = 1000
"""Attempts of one saga that are looked at: the latest."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps by start, and how often one was begun again after it had failed."""

    rows: list[StepRecord]
    repeats: int


@dataclass(frozen=True, slots=True)
class _Begin:
    step: str
    kind: str
    compensates: str
    started_ns: int
    ended_ns: int | None
    failed: bool

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.step, self.kind, self.compensates

    @property
    def row(self) -> tuple[int | None, str]:
        result = "open" if self.ended_ns is None else "error" if self.failed else "ok"
        return self.ended_ns, result


def read(connection: sqlite3.Connection, saga: int) -> Steps:
    """The steps of the saga with this row id."""
    begins = [
        _Begin(step, kind, compensates, started_ns, ended_ns, bool(failed))
        for step, kind, compensates, started_ns, ended_ns, failed in connection.execute(
            _BEGINS, (saga,)
        )
    ]
    groups = grouped(_without_lost(begins))
    rows = [
        StepRecord(group[0].step, group[0].kind, group[0].started_ns, *group[-1].row)
        for group in groups
    ]
    return Steps(rows, sum(len(group) - 1 for group in groups))


_BEGINS: Final = f"""SELECT step, kind, compensates, started_at, ended_at, failed FROM saga_steps
    WHERE saga = ? ORDER BY started_at DESC LIMIT {_MAX_BEGINS}"""


def _without_lost(begins: Iterable[_Begin]) -> Iterator[_Begin]:
    """All but those without an end whose step has ended since: outside a span, or in a crash."""
    ends: dict[tuple[str, str, str], int] = {}
    for begin in begins:
        if begin.ended_ns is not None:
            ends[begin.identity] = max(begin.ended_ns, ends.get(begin.identity, 0))
    for begin in begins:
        if begin.ended_ns is not None or ends.get(begin.identity, -1) < begin.started_ns:
            yield begin
