"""Reads sagas and log records from a snapshot of the store, and infers a saga's state."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from otel_kit import names
from otel_kit.embedded import blocks, saga_rows, saga_steps, trace_queries
from otel_kit.embedded.config import MAX_ANSWER_SPANS
from otel_kit.records import LogRecord, SagaDetail, SagaRecord, StateCount
from otel_kit.step_rules import MAX_STEPS, failed_step, step_now

MAX_TRACES: Final = 200
"""Traces of one saga in an answer."""
STATES: Final = (
    "running",
    "stuck",
    "completed",
    "compensating",
    "compensated",
    "partially_compensated",
    "failed",
)
_STATE: Final = """
    CASE WHEN outcome IS NOT NULL THEN outcome
         WHEN compensating THEN 'compensating'
         WHEN active_at < :quiet_since THEN 'stuck'
         ELSE 'running' END
"""
_DURATION: Final = """
    (CASE WHEN outcome IS NULL THEN max(active_at, :now) ELSE active_at END - started_at)
"""
_COLUMNS: Final = (
    f"id, saga_id, name, started_at, active_at, outcome IS NOT NULL, retries, {_STATE} AS state"
)
Sort: TypeAlias = Literal["-started", "started", "stalest"]


@dataclass(frozen=True, slots=True)
class SagaQuery:
    """What to look for; what is empty or None does not restrict.

    ``contains`` is part of an id.  Started within [``started_after_ns``, ``started_before_ns``);
    the duration of a saga in progress is until ``now_ns``.  ``after`` is the `key` of the last row
    of the page before.  A saga without outcome and without compensation that was last active before
    ``quiet_since_ns`` is stuck.
    """

    now_ns: int
    quiet_since_ns: int
    states: tuple[str, ...] = ()
    name: str = ""
    service: str = ""
    contains: str = ""
    started_after_ns: int | None = None
    started_before_ns: int | None = None
    least_ns: int | None = None
    most_ns: int | None = None
    sort: Sort = "-started"
    after: tuple[int, int] | None = None
    limit: int = 50

    def key(self, found: tuple[int, SagaRecord]) -> tuple[int, int]:
        """What rows are sorted by: a time and, where that is the same, the row id."""
        rowid, saga = found
        return (saga.active_ns if self.sort == "stalest" else saga.started_ns), rowid


@dataclass(frozen=True, slots=True)
class _Order:
    column: str
    direction: Literal["ASC", "DESC"]
    only: str = "TRUE"

    @property
    def beyond(self) -> str:
        sign = "<" if self.direction == "DESC" else ">"
        return f"({self.column}, id) {sign} (:after_time, :after_id)"


_ORDERS: Final[dict[Sort, _Order]] = {
    "-started": _Order("started_at", "DESC"),
    "started": _Order("started_at", "ASC"),
    "stalest": _Order("active_at", "ASC", "outcome IS NULL"),
}


def find(connection: sqlite3.Connection, query: SagaQuery) -> list[tuple[int, SagaRecord]]:
    """One page of (row id, saga); the stalest are only those in progress."""
    order = _ORDERS[query.sort]
    wheres = [order.only, *_wheres(query)]
    if query.states:
        wheres.append(f"{_STATE} IN (SELECT value FROM json_each(:states))")
    if query.after:
        wheres.append(order.beyond)
    sql = f"""SELECT {_COLUMNS} FROM sagas WHERE {" AND ".join(wheres)}
              ORDER BY {order.column} {order.direction}, id {order.direction} LIMIT :limit"""
    rows = connection.execute(sql, _parameters(query)).fetchall()
    return [(row[0], _saga(connection, row, query.now_ns)) for row in rows]


def counts(connection: sqlite3.Connection, query: SagaQuery) -> list[StateCount]:
    """How many sagas fit, for each of `STATES`, whatever states the query wants."""
    wheres = ["TRUE", *_wheres(query)]
    sql = f"SELECT {_STATE} AS state, count(*) FROM sagas WHERE {' AND '.join(wheres)} GROUP BY 1"
    found = dict(connection.execute(sql, _parameters(query)).fetchall())
    return [StateCount(state, found.get(state, 0)) for state in STATES]


def saga_names(connection: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """The names that sagas have, sorted, beyond `after`."""
    sql = "SELECT DISTINCT name FROM sagas WHERE name > ? ORDER BY name LIMIT ?"
    return [name for (name,) in connection.execute(sql, (after, limit))]


def _wheres(query: SagaQuery) -> Iterator[str]:
    if query.name:
        yield "name = :name"
    if query.contains:
        yield "instr(saga_id, :contains)"
    if query.service:
        yield _HAS_SERVICE
    if query.started_after_ns is not None:
        yield "started_at >= :started_after"
    if query.started_before_ns is not None:
        yield "started_at < :started_before"
    if query.least_ns is not None:
        yield f"{_DURATION} >= :least"
    if query.most_ns is not None:
        yield f"{_DURATION} <= :most"


_HAS_SERVICE: Final = """
    EXISTS (SELECT 1 FROM saga_traces st JOIN trace_blocks tb ON tb.trace = st.trace
            WHERE st.saga = sagas.id
            AND tb.service = (SELECT id FROM services WHERE name = :service))"""


def _parameters(query: SagaQuery) -> dict[str, Any]:
    after_time, after_id = query.after or (0, 0)
    return {
        "now": query.now_ns,
        "quiet_since": query.quiet_since_ns,
        "states": json.dumps(query.states),
        "name": query.name,
        "service": query.service,
        "contains": query.contains,
        "started_after": query.started_after_ns,
        "started_before": query.started_before_ns,
        "least": query.least_ns,
        "most": query.most_ns,
        "after_time": after_time,
        "after_id": after_id,
        "limit": query.limit,
    }


def _saga(connection: sqlite3.Connection, row: tuple[Any, ...], now_ns: int) -> SagaRecord:
    rowid, saga_id, name, started, active, finished, retries, state = row
    steps = saga_steps.read(connection, rowid)
    errors = connection.execute(_ERRORS, (rowid,)).fetchone()[0]
    end = active if finished else max(active, now_ns)
    return SagaRecord(
        id=saga_id,
        name=name,
        state=state,
        step=step_now(steps.rows, bool(finished)),
        started_ns=started,
        duration_s=max(end - started, 0) / 1e9,
        services=_column(connection, _SERVICES, rowid),
        errors=errors,
        trace_ids=[id_.hex() for id_ in _column(connection, _TRACE_IDS, rowid)[:MAX_TRACES]],
        active_ns=active,
        retries=max(retries, steps.repeats),
        steps=tuple(steps.rows[-MAX_STEPS:]),
        failed_step=failed_step(steps.rows),
    )


_ERRORS: Final = """SELECT coalesce(sum(errors), 0) FROM saga_traces JOIN traces t ON t.id = trace
                    WHERE saga = ?"""
_SERVICES: Final = """SELECT DISTINCT s.name FROM saga_traces st
    JOIN trace_blocks tb ON tb.trace = st.trace JOIN services s ON s.id = tb.service
    WHERE st.saga = ? ORDER BY s.name"""
_TRACE_IDS: Final = f"""SELECT trace_id FROM saga_traces JOIN traces t ON t.id = trace
    WHERE saga = ? GROUP BY t.trace_id ORDER BY min(t.started_at), t.trace_id
    LIMIT {MAX_TRACES + 1}"""


def _column(connection: sqlite3.Connection, sql: str, rowid: int) -> list[Any]:
    return [value for (value,) in connection.execute(sql, (rowid,))]


def detail(connection: sqlite3.Connection, saga_id: str, query: SagaQuery) -> SagaDetail | None:
    """One saga stitched over all traces that have a span of it; None when there is none.

    Spans of those traces that do not name the saga belong to it too.
    """
    rowid = saga_rows.find(connection, saga_id)
    sql = f"SELECT {_COLUMNS} FROM sagas WHERE id = :id"
    row = connection.execute(sql, {"id": rowid, **_parameters(query)}).fetchone()
    if row is None:
        return None
    trace_ids = _column(connection, _TRACE_IDS, row[0])
    traces = trace_queries.read(connection, trace_ids[:MAX_TRACES])
    kept = sum(len(trace.spans) for trace in traces)
    found = logs(connection, trace_ids[:MAX_TRACES], saga_id, query.limit)
    truncated = len(trace_ids) > MAX_TRACES or kept >= MAX_ANSWER_SPANS or len(found) >= query.limit
    return SagaDetail(_saga(connection, row, query.now_ns), traces, found, truncated)


def logs(
    connection: sqlite3.Connection, trace_ids: Iterable[bytes], saga_id: str, limit: int
) -> list[LogRecord]:
    """Log records of these traces, and those that name this saga, by time."""
    wanted = frozenset(trace_id.hex() for trace_id in trace_ids)
    found: list[LogRecord] = []
    for data in _log_blocks(connection, wanted, saga_id):
        found += [log for log in blocks.read_logs(data) if _is_of(log, wanted, saga_id)]
        if len(found) >= limit:
            break
    return sorted(found, key=_time)[:limit]


def _log_blocks(
    connection: sqlite3.Connection, trace_ids: Iterable[str], saga_id: str
) -> Iterator[bytes]:
    seen: set[int] = set()
    for trace_id in trace_ids:
        sql = "SELECT block FROM trace_logs WHERE trace_id = ?"
        seen.update(b for (b,) in connection.execute(sql, (bytes.fromhex(trace_id),)).fetchall())
    sql, saga = "SELECT block FROM saga_logs WHERE saga = ?", saga_rows.find(connection, saga_id)
    seen.update(block for (block,) in connection.execute(sql, (saga,)).fetchall())
    for block in sorted(seen):
        found = connection.execute("SELECT data FROM log_blocks WHERE id = ?", (block,))
        yield from (data for (data,) in found.fetchall())


def _is_of(log: LogRecord, trace_ids: frozenset[str], saga_id: str) -> bool:
    if log.trace_id in trace_ids:
        return True
    return bool(saga_id) and str(log.attributes.get(names.SAGA_ID)) == saga_id


def _time(log: LogRecord) -> int:
    return log.time_ns
