"""Writes decoded batches into the tables, inside the writer's transaction."""

import sqlite3
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import repeat
from typing import Any, Final, TypeVar

from otel_kit.embedded import bulk
from otel_kit.embedded.batches import (
    LogBatch,
    LogBlock,
    SagaSlice,
    SpanBlock,
    TraceBatch,
    TraceSlice,
)
from otel_kit.embedded.config import MAX_OPERATIONS, MAX_SERVICES
from otel_kit.embedded.saga_rows import SagaRows
from otel_kit.embedded.trace_rows import TraceRows

_STEP: Final = """
    INSERT INTO saga_steps (saga, span_id, step, kind, compensates, started_at, ended_at, failed)
    VALUES {}
    ON CONFLICT (saga, span_id, step) DO UPDATE SET
        started_at = CASE span_id WHEN x'' THEN max(started_at, excluded.started_at)
                                  ELSE min(started_at, excluded.started_at) END,
        ended_at = coalesce(excluded.ended_at, ended_at),
        failed = max(failed, excluded.failed)
"""
_SAGA_STAYS_ACTIVE: Final = """
    UPDATE sagas SET active_at = seen.ended_at FROM
        (SELECT saga, max(t.ended_at) AS ended_at FROM saga_traces JOIN traces t ON t.id = trace
         WHERE trace IN ({}) GROUP BY saga) AS seen
    WHERE sagas.id = seen.saga AND active_at < seen.ended_at
"""
_BLOCK: Final = "INSERT INTO blocks (last_trace, first_start, last_start, data) VALUES (?, ?, ?, ?)"
_TRACE_BLOCK: Final = "INSERT INTO trace_blocks (trace, service, block) VALUES {}"
_BLOCK_SERVICE: Final = "INSERT INTO block_services (service, block) VALUES {}"
_BLOCK_OPERATION: Final = "INSERT INTO block_operations (operation, block) VALUES {}"
_SAGA_TRACE: Final = "INSERT OR IGNORE INTO saga_traces (saga, trace) VALUES {}"

_Key = TypeVar("_Key", bound=Hashable)
_Slice = TypeVar("_Slice", TraceSlice, SagaSlice)


class Counters:
    """Running totals kept in the store, so that start-up need not count."""

    NAMES = ("spans", "traces", "log_records", "log_bytes")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.values: Counter[str] = Counter(
            dict(connection.execute("SELECT name, value FROM counters"))
        )

    def add(self, **changes: int) -> None:
        """Change totals; `save` writes them."""
        self.values.update(changes)

    def save(self) -> None:
        """Write all totals in the current transaction."""
        rows = [(name, self.values[name]) for name in self.NAMES]
        self._connection.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?)", rows)


class NameIndex:
    """Ids of services and operations; 0 for a name past the limit, which is not indexed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._services: dict[str, int] = dict(connection.execute("SELECT name, id FROM services"))
        rows = connection.execute("SELECT service, name, kind, id FROM operations")
        self._operations: dict[tuple[int, str, int], int] = {(s, n, k): i for s, n, k, i in rows}

    def service(self, name: str) -> int:
        """The id of a service, made when new."""
        found = self._services.get(name, 0)
        if not found and len(self._services) < MAX_SERVICES:
            found = self._insert("INSERT INTO services (name) VALUES (?)", (name,))
            self._services[name] = found
        return found

    def operation(self, service: str, name: str, kind: int) -> int:
        """The id of a service's span name and kind, made when new."""
        key = (self.service(service), name, kind)
        found = self._operations.get(key, 0)
        if not found and key[0] and len(self._operations) < MAX_OPERATIONS:
            sql = "INSERT INTO operations (service, name, kind) VALUES (?, ?, ?)"
            found = self._operations[key] = self._insert(sql, key)
        return found

    def _insert(self, sql: str, row: tuple[str | int, ...]) -> int:
        rowid = self._connection.execute(sql, row).lastrowid
        assert rowid is not None  # an INSERT always has one
        return rowid


class Ingest:
    """Applies batches; remembers much of what it inserted."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.saga_rows = SagaRows(connection)
        self.reload()

    def reload(self) -> None:
        """Remember nothing that is not on the disk, after a rollback."""
        self.counters = Counters(self._connection)
        self.trace_rows = TraceRows(self._connection)
        self.saga_rows.reload()
        self.reload_names()

    def reload_names(self) -> None:
        """Services and operations have been deleted."""
        self._names = NameIndex(self._connection)

    def traces(self, batches: Iterable[TraceBatch]) -> None:
        """Write the spans of several requests."""
        batches = list(batches)
        traces = _merge([batch.traces for batch in batches])
        sagas = _merge([batch.sagas for batch in batches])
        before = self.trace_rows.newest
        ids = self._traces(traces)
        self._blocks([block for batch in batches for block in batch.blocks], ids)
        for saga in sagas.values():
            saga.keep_active(traces[trace_id].ended_ns for trace_id in saga.traces)
        rows = self._sagas(sagas)
        links = [(row, ids[trace_id]) for saga, row in rows for trace_id in saga.traces]
        self._insert(_SAGA_TRACE, links)
        known = [row for row in ids.values() if row <= before]  # other sagas may have these
        list(bulk.with_keys(self._connection, _SAGA_STAYS_ACTIVE, known))

    def _traces(self, merged: dict[bytes, TraceSlice]) -> dict[bytes, int]:
        """Write what is known of each trace; returns their row ids."""
        before = self.trace_rows.newest
        ids = self.trace_rows.write(merged)
        spans = sum(trace.spans for trace in merged.values())
        self.counters.add(spans=spans, traces=self.trace_rows.newest - before)
        return ids

    def _blocks(self, blocks: list[SpanBlock], ids: dict[bytes, int]) -> None:
        traces: list[tuple[int, int, int]] = []
        services: list[tuple[int, int]] = []
        operations: list[tuple[int, int]] = []
        for block in blocks:
            rows = self._rows_by_service(block, ids)
            last = max(map(max, rows.values()))
            values = (last, block.first_start_ns, block.last_start_ns, block.data)
            rowid = self._connection.execute(_BLOCK, values).lastrowid or 0
            for service, own in rows.items():
                traces += zip(own, repeat(service), repeat(rowid))
            services += [(service, rowid) for service in rows]
            found = {self._names.operation(*operation) for operation in block.operations}
            operations += [(operation, rowid) for operation in found - {0}]
        self._insert(_TRACE_BLOCK, traces)
        self._insert(_BLOCK_SERVICE, services)
        self._insert(_BLOCK_OPERATION, operations)

    def _rows_by_service(self, block: SpanBlock, ids: dict[bytes, int]) -> dict[int, set[int]]:
        rows: dict[int, set[int]] = {}
        for service, trace_ids in block.traces.items():
            own = rows.setdefault(self._names.service(service), set())
            own.update([ids[trace_id] for trace_id in trace_ids])
        return rows

    def _sagas(self, merged: dict[str, SagaSlice]) -> list[tuple[SagaSlice, int]]:
        """Write what is known of each saga; returns them with their row ids."""
        ids = self.saga_rows.write(merged)
        steps = [(ids[key], *step) for key, saga in merged.items() for step in saga.steps]
        self._insert(_STEP, steps)
        return [(saga, ids[key]) for key, saga in merged.items()]

    def logs(self, batch: LogBatch) -> None:
        """Write the log records of one request."""
        rows = [self._log_block(block) for block in batch.blocks]
        for saga, saga_row in self._sagas(batch.sagas):
            links = [(saga_row, rows[position]) for position in saga.log_blocks]
            self._insert("INSERT INTO saga_logs VALUES {}", links)

    def _log_block(self, block: LogBlock) -> int | None:
        sql = "INSERT INTO log_blocks (records, data) VALUES (?, ?)"
        rowid = self._connection.execute(sql, (block.records, block.data)).lastrowid
        links = [(trace_id, rowid) for trace_id in block.trace_ids]
        self._insert("INSERT INTO trace_logs VALUES {}", links)
        self.counters.add(log_records=block.records, log_bytes=len(block.data))
        return rowid

    def _insert(self, sql: str, rows: Sequence[tuple[object, ...]]) -> list[Any]:
        return bulk.with_rows(self._connection, sql, rows)


def _merge(batches: Iterable[dict[_Key, _Slice]]) -> dict[_Key, _Slice]:
    merged: dict[_Key, _Slice] = {}
    for slices in batches:
        for key, own in slices.items():
            known = merged.get(key)
            merged[key] = own if known is None else known + own
    return merged
