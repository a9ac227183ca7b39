"""Keeps the store within its size: drops whole traces, oldest first, in small slices.

The age of a trace is its first arrival.  A trace goes with everything that refers to it; a saga
goes with its last trace and log.  Bytes that several traces share go with the last of them.
Nothing is remembered of what was dropped: a span that comes later begins its trace anew.
"""

import sqlite3
from typing import Final

from otel_kit.embedded.config import DATABASE_SHARE, LOG_SHARE
from otel_kit.embedded.database import PAGE_BYTES
from otel_kit.embedded.ingest import Counters, Ingest

_HIGH_WATER: Final = 0.9
"""Part of the database's share at which dropping begins; the rest is for what arrives meanwhile."""
_SLICE_TRACES: Final = 500
_SLICE_BLOCKS: Final = 64
_VACUUM_PAGES: Final = 256


class Retention:
    """Drops slices inside the writer's transactions."""

    def __init__(self, connection: sqlite3.Connection, max_size: int) -> None:
        self._connection = connection
        self._budget = int(max_size * DATABASE_SHARE)
        self._max_log_bytes = int(max_size * LOG_SHARE)

    def excess(self) -> int:
        """Bytes of live data over the high-water mark; 0 or less when all is well."""
        used = self._pragma("page_count") - self._pragma("freelist_count")
        return int(used * PAGE_BYTES - self._budget * _HIGH_WATER)

    def excess_log_bytes(self, counters: Counters) -> int:
        """Bytes of log records over their share; 0 or less when all is well."""
        return counters.values["log_bytes"] - self._max_log_bytes

    def file_too_large(self) -> bool:
        """Whether the file, free pages included, is over its share (after ``max_size`` shrank)."""
        return self._pragma("page_count") * PAGE_BYTES > self._budget

    def shrink(self) -> bool:
        """Give some free pages back to the file system; False when there are none."""
        if not self._pragma("freelist_count"):
            return False
        self._connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        return True

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def drop_traces(self, ingest: Ingest) -> bool:
        """Drop one slice of the oldest traces; False when there is none left."""
        last, spans, traces = self._oldest(self._slice_size(ingest.counters))
        if not traces:
            return False
        for sql in _DROP_TRACES:
            self._connection.execute(sql, (last,))
        sagas = self._rows("DELETE FROM saga_traces WHERE trace <= ? RETURNING saga", last)
        self._drop_orphan_sagas(sagas, ingest)
        ingest.counters.add(spans=-spans, traces=-traces)
        ingest.trace_rows.forget(last)
        return True

    def _slice_size(self, counters: Counters) -> int:
        """As many traces as make up the excess, by their mean size."""
        traces = max(counters.values["traces"], 1)
        mean = max(self._budget * _HIGH_WATER / traces, 1)
        return max(1, min(_SLICE_TRACES, int(self.excess() / mean) + 1))

    def _oldest(self, count: int) -> tuple[int, int, int]:
        sql = """SELECT max(id), coalesce(sum(spans), 0), count(*)
                 FROM (SELECT id, spans FROM traces ORDER BY id LIMIT ?)"""
        last, spans, traces = self._connection.execute(sql, (count,)).fetchone()
        return last, spans, traces

    def prune_names(self) -> None:
        """Forget services and operations of which no trace is left."""
        for sql in _PRUNE_NAMES:
            self._connection.execute(sql)

    def drop_logs(self, ingest: Ingest) -> bool:
        """Drop one slice of the oldest log records; False when there is none left."""
        sql = """SELECT max(id), coalesce(sum(length(data)), 0), coalesce(sum(records), 0)
                 FROM (SELECT id, data, records FROM log_blocks ORDER BY id LIMIT ?)"""
        last, size, records = self._connection.execute(sql, (_SLICE_BLOCKS,)).fetchone()
        if last is None:
            return False
        self._connection.execute("DELETE FROM log_blocks WHERE id <= ?", (last,))
        self._connection.execute("DELETE FROM trace_logs WHERE block <= ?", (last,))
        sagas = self._rows("DELETE FROM saga_logs WHERE block <= ? RETURNING saga", last)
        self._drop_orphan_sagas(sagas, ingest)
        ingest.counters.add(log_records=-records, log_bytes=-size)
        return True

    def _rows(self, sql: str, last: int) -> set[int]:
        return {row for (row,) in self._connection.execute(sql, (last,))}

    def _drop_orphan_sagas(self, candidates: set[int], ingest: Ingest) -> None:
        for saga in candidates:
            for (saga_id,) in self._connection.execute(
                _DROP_SAGA_IF_ORPHAN, {"saga": saga}
            ).fetchall():
                self._connection.execute("DELETE FROM saga_steps WHERE saga = ?", (saga,))
                ingest.saga_rows.forget(saga_id)


_DROP_TRACES: Final = (
    "DELETE FROM traces WHERE id <= ?",
    "DELETE FROM block_services WHERE block IN (SELECT id FROM blocks WHERE last_trace <= ?)",
    "DELETE FROM block_operations WHERE block IN (SELECT id FROM blocks WHERE last_trace <= ?)",
    "DELETE FROM blocks WHERE last_trace <= ?",
    "DELETE FROM trace_blocks WHERE trace <= ?",
)
_PRUNE_NAMES: Final = (
    "DELETE FROM operations"
    " WHERE NOT EXISTS (SELECT 1 FROM block_operations WHERE operation = operations.id)",
    "DELETE FROM services"
    " WHERE NOT EXISTS (SELECT 1 FROM block_services WHERE service = services.id)",
)
_DROP_SAGA_IF_ORPHAN: Final = """
    DELETE FROM sagas WHERE id = :saga
    AND NOT EXISTS (SELECT 1 FROM saga_traces WHERE saga = :saga)
    AND NOT EXISTS (SELECT 1 FROM saga_logs WHERE saga = :saga)
    RETURNING saga_id
"""
