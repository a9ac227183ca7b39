"""Writes decoded batches into the tables, inside the writer's transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable

from otel_kit.embedded import bulk
from otel_kit.embedded.batches import Block, LogBatch, SagaSlice, TraceBatch, TraceSlice
from otel_kit.embedded.config import MAX_OPERATIONS, MAX_SERVICES

_TRACE = """
    INSERT INTO traces (trace_id, started_at, ended_at, spans, errors) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (trace_id) DO UPDATE SET
        started_at = min(started_at, excluded.started_at),
        ended_at = max(ended_at, excluded.ended_at),
        spans = spans + excluded.spans, errors = errors + excluded.errors
"""
_SAGA = """
    INSERT INTO sagas
        (saga_id, name, started_at, active_at, outcome, outcome_at, compensating, retries)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (saga_id) DO UPDATE SET
        name = CASE name WHEN '' THEN excluded.name ELSE name END,
        started_at = min(started_at, excluded.started_at),
        active_at = max(active_at, excluded.active_at),
        outcome = CASE WHEN excluded.outcome IS NOT NULL AND excluded.outcome_at >= outcome_at
                       THEN excluded.outcome ELSE outcome END,
        outcome_at = max(outcome_at, excluded.outcome_at),
        compensating = max(compensating, excluded.compensating),
        retries = retries + excluded.retries
"""
_STEP = """
    INSERT INTO saga_steps (saga, span_id, step, kind, compensates, started_at, ended_at, failed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (saga, span_id, step) DO UPDATE SET
        started_at = CASE span_id WHEN x'' THEN max(started_at, excluded.started_at)
                                  ELSE min(started_at, excluded.started_at) END,
        ended_at = coalesce(excluded.ended_at, ended_at),
        failed = max(failed, excluded.failed)
"""
_SAGA_STAYS_ACTIVE = """
    UPDATE sagas SET active_at = seen.ended_at FROM
        (SELECT saga, max(t.ended_at) AS ended_at FROM saga_traces JOIN traces t ON t.id = trace
         WHERE trace IN ({}) GROUP BY saga) AS seen
    WHERE sagas.id = seen.saga AND active_at < seen.ended_at
"""
_TRACE_IDS = "SELECT trace_id, id FROM traces WHERE trace_id IN ({})"
_SAGA_IDS = "SELECT saga_id, id FROM sagas WHERE saga_id IN ({})"


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
    """Ids of services and operations; None for a name past the limit, which is not indexed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._services: dict[str, int] = dict(connection.execute("SELECT name, id FROM services"))
        rows = connection.execute("SELECT service, name, kind, id FROM operations")
        self._operations: dict[tuple[int, str, int], int] = {(s, n, k): i for s, n, k, i in rows}
        self._found: dict[tuple[str, str, int], tuple[int | None, int | None]] = {}

    def find(self, name: tuple[str, str, int]) -> tuple[int | None, int | None]:
        """The ids of (service, span name, kind)'s service and operation, made when new."""
        found = self._found.get(name)
        if found is None:
            service = self._service(name[0])
            operation = None if service is None else self._operation((service, *name[1:]))
            found = (service, operation)
            if operation is not None:
                self._found[name] = found
        return found

    def _service(self, name: str) -> int | None:
        found = self._services.get(name)
        if found is None and len(self._services) < MAX_SERVICES:
            found = self._insert("INSERT INTO services (name) VALUES (?)", (name,))
            self._services[name] = found
        return found

    def _operation(self, key: tuple[int, str, int]) -> int | None:
        found = self._operations.get(key)
        if found is None and len(self._operations) < MAX_OPERATIONS:
            sql = "INSERT INTO operations (service, name, kind) VALUES (?, ?, ?)"
            found = self._operations[key] = self._insert(sql, key)
        return found

    def _insert(self, sql: str, row: tuple[str | int, ...]) -> int:
        rowid = self._connection.execute(sql, row).lastrowid
        assert rowid is not None  # an INSERT always has one
        return rowid


class Ingest:
    """Applies batches; made anew after a rollback, because it remembers what it inserted."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.counters = Counters(connection)
        self._names = NameIndex(connection)

    def traces(self, batches: Iterable[TraceBatch]) -> None:
        """Write the spans of several requests."""
        batches = list(batches)
        merged = _merge(batches)
        ids = self._traces(merged)
        self._index(ids, merged)
        self._blocks([block for batch in batches for block in batch.blocks], ids)
        links = [
            (row, ids[trace_id]) for saga, row in self._sagas(batches) for trace_id in saga.traces
        ]
        bulk.insert_pairs(self._connection, "saga_traces", links)
        list(bulk.with_keys(self._connection, _SAGA_STAYS_ACTIVE, list(ids.values())))

    def _traces(self, merged: dict[bytes, TraceSlice]) -> dict[bytes, int]:
        """Write what is known of each trace; returns their row ids."""
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM traces").fetchone()
        rows = [
            (trace_id, trace.started_ns, trace.ended_ns, trace.spans, trace.errors)
            for trace_id, trace in merged.items()
        ]
        self._many(_TRACE, rows)
        ids = dict(bulk.with_keys(self._connection, _TRACE_IDS, list(merged)))
        spans = sum(trace.spans for trace in merged.values())
        self.counters.add(spans=spans, traces=sum(row > last for row in ids.values()))
        return ids

    def _index(self, ids: dict[bytes, int], merged: dict[bytes, TraceSlice]) -> None:
        services, operations = set(), set()
        for trace_id, trace in merged.items():
            row = ids[trace_id]
            found = [self._names.find(name) for name in trace.operations]
            services.update([(service, row) for service, _ in found if service is not None])
            operations.update([(name, row) for _, name in found if name is not None])
        bulk.insert_pairs(self._connection, "trace_services", services)
        bulk.insert_pairs(self._connection, "trace_operations", operations)

    def _blocks(self, blocks: list[Block], ids: dict[bytes, int]) -> None:
        sql, links = "INSERT INTO blocks (last_trace, data) VALUES (?, ?)", []
        for block in blocks:
            traces = [ids[trace_id] for trace_id in block.trace_ids]
            rowid = self._connection.execute(sql, (max(traces), block.data)).lastrowid
            links += [(trace, rowid) for trace in traces]
        bulk.insert_pairs(self._connection, "trace_blocks", links)

    def _sagas(self, batches: Iterable[TraceBatch | LogBatch]) -> list[tuple[SagaSlice, int]]:
        """Write what is known of each saga; returns them with their row ids."""
        seen = [(key, saga) for batch in batches for key, saga in batch.sagas.items()]
        self._many(_SAGA, [_saga_row(key, saga) for key, saga in seen])
        ids = dict(bulk.with_keys(self._connection, _SAGA_IDS, list({key for key, _ in seen})))
        steps = [(ids[key], *step) for key, saga in seen for step in saga.steps]
        self._many(_STEP, steps)
        return [(saga, ids[key]) for key, saga in seen]

    def logs(self, batch: LogBatch) -> None:
        """Write the log records of one request."""
        rows = [self._log_block(block) for block in batch.blocks]
        for saga, saga_row in self._sagas([batch]):
            links = [(saga_row, rows[position]) for position in saga.log_blocks]
            self._many("INSERT INTO saga_logs VALUES (?, ?)", links)

    def _log_block(self, block: Block) -> int | None:
        sql = "INSERT INTO log_blocks (records, data) VALUES (?, ?)"
        rowid = self._connection.execute(sql, (block.records, block.data)).lastrowid
        links = [(trace_id, rowid) for trace_id in block.trace_ids]
        self._many("INSERT INTO trace_logs VALUES (?, ?)", links)
        self.counters.add(log_records=block.records, log_bytes=len(block.data))
        return rowid

    def _many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._connection.executemany(sql, rows)


def _saga_row(saga_id: str, saga: SagaSlice) -> tuple[object, ...]:
    times = (saga.started_ns, saga.active_ns)
    told = (saga.outcome, saga.outcome_ns, saga.compensating, saga.retries)
    return (saga_id, saga.name, *times, *told)


def _merge(batches: list[TraceBatch]) -> dict[bytes, TraceSlice]:
    merged: dict[bytes, TraceSlice] = {}
    for batch in batches:
        for trace_id, trace in batch.traces.items():
            known = merged.get(trace_id)
            merged[trace_id] = trace if known is None else known + trace
    return merged
