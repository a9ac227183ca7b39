"""The table of sagas, as the writer sees it."""

import sqlite3
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from otel_kit.embedded import bulk
from otel_kit.embedded.batches import SagaSlice
from otel_kit.embedded.generations import generation_of, stored

_KNOWN: Final = 2**16
"""Sagas, the last that were looked for, whose rows are remembered (some 10 MB)."""
_SEEN_BITS: Final = 2**26
"""Of 8 MiB: a million sagas make one new id in seventy look like one that was seen."""

_NEW: Final = """
    INSERT INTO sagas (id, generation, saga_id, name, started_at, active_at,
                       outcome, outcome_at, compensating, retries) VALUES {}
"""
_SEEN_AGAIN: Final = """
    UPDATE sagas SET
        name = CASE name WHEN '' THEN column2 ELSE name END,
        started_at = min(started_at, column3), active_at = max(active_at, column4),
        outcome = CASE WHEN column5 IS NOT NULL AND column6 >= outcome_at
                       THEN column5 ELSE outcome END,
        outcome_at = max(outcome_at, column6), compensating = max(compensating, column7),
        retries = retries + column8
    FROM (VALUES {}) WHERE id = column1
"""
_FIND: Final = """
    SELECT sagas.id FROM json_each(?) JOIN sagas ON generation = value AND saga_id = ?
"""


def find(connection: sqlite3.Connection, saga_id: str) -> int | None:
    """The row id of a saga; None if it is not stored."""
    found = connection.execute(_FIND, (stored(connection, "sagas"), saga_id)).fetchone()
    return found and int(found[0])


class SagaRows:
    """Row ids of sagas: a saga has one, however long it lasts.

    The last ones are remembered.  Of the others a bit tells whether to look for one on the disk,
    so that a new saga, which most are, needs no search.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._seen = _Seen(row[0] for row in connection.execute("SELECT saga_id FROM sagas"))
        self.reload()

    def reload(self) -> None:
        """Remember nothing that is not on the disk, after a rollback."""
        self._known: dict[str, int] = {}
        sql = "SELECT coalesce(max(id), 0) FROM sagas"
        (self._newest,) = self._connection.execute(sql).fetchone()

    def write(self, sagas: Mapping[str, SagaSlice]) -> dict[str, int]:
        """Write what is known of each saga; returns their row ids."""
        ids: dict[str, int] = {}
        new, again = [], []
        for saga_id, saga in sagas.items():
            told = _told(saga)
            row = self._row(saga_id)
            if row is None:
                self._newest = row = self._newest + 1
                new.append((row, generation_of(row), saga_id, *told))
            else:
                again.append((row, *told))
            ids[saga_id] = row
        bulk.with_rows(self._connection, _NEW, new)
        bulk.with_rows(self._connection, _SEEN_AGAIN, again)
        self._remember(ids)
        return ids

    def _row(self, saga_id: str) -> int | None:
        row = self._known.get(saga_id)
        if row is None and saga_id in self._seen:
            return find(self._connection, saga_id)
        return row

    def _remember(self, ids: dict[str, int]) -> None:
        self._known.update(ids)
        self._seen.add(ids)
        if len(self._known) > 2 * _KNOWN:
            self._known = dict(islice(self._known.items(), _KNOWN, None))

    def forget(self, saga_id: str) -> None:
        """This saga is no longer there."""
        self._known.pop(saga_id, None)


def _told(saga: SagaSlice) -> tuple[object, ...]:
    times = (saga.started_ns, saga.active_ns)
    return (
        saga.name, *times, saga.outcome, saga.outcome_ns, saga.compensating, saga.retries
    )  # fmt: skip


class _Seen:
    """Knows of an id whether it was never added; now and then it is wrong in thinking it was."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._bits = bytearray(_SEEN_BITS // 8)
        self.add(ids)

    def add(self, ids: Iterable[str]) -> None:
        bits = self._bits
        for saga_id in ids:
            place = hash(saga_id) % _SEEN_BITS
            bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, saga_id: str) -> bool:
        place = hash(saga_id) % _SEEN_BITS
        return bool(self._bits[place >> 3] & 1 << (place & 7))
