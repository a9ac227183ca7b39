"""Reads traces, services and operations from a snapshot of the store."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from otel_kit.embedded import blocks, otlp
from otel_kit.embedded.config import MAX_ANSWER_SPANS, MAX_NAME, MAX_SCAN
from otel_kit.records import DependencyRecord, OperationRecord, SpanRecord, TraceRecord

TraceRef: TypeAlias = tuple[int, bytes]
"""Row id and trace id."""
SpanFilter: TypeAlias = Callable[[SpanRecord], bool]

_CHUNK: Final = 50
_DEPENDENCY_TRACES: Final = 1_000


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What to look for.  Times are ns since the epoch; ``matches`` must hold for one span.

    Saga ids and service are looked up in the index and hold for the trace as a whole.
    """

    service: str = ""
    operation: str = ""
    saga_ids: tuple[str, ...] = ()
    started_ns: int = 0
    ended_ns: int = 2**63 - 1
    limit: int = 20
    matches: SpanFilter | None = None


def services(connection: sqlite3.Connection) -> list[str]:
    """Names of all services with a span stored, sorted."""
    return [name for (name,) in connection.execute("SELECT name FROM services ORDER BY name")]


def operations(connection: sqlite3.Connection, service: str) -> list[OperationRecord]:
    """Span names of one service with their kinds, sorted."""
    sql = """SELECT o.name, o.kind FROM operations o JOIN services s ON s.id = o.service
             WHERE s.name = ? ORDER BY o.name, o.kind"""
    rows = connection.execute(sql, (service,))
    return [OperationRecord(name, otlp.kind_name(kind)) for name, kind in rows]


def by_ids(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> list[TraceRecord]:
    """The traces of these ids (16 bytes each) that are stored."""
    sql = "SELECT id, trace_id FROM traces WHERE trace_id = ?"
    found = [connection.execute(sql, (trace_id,)).fetchone() for trace_id in trace_ids]
    return read(connection, [row for row in found if row])


def find(connection: sqlite3.Connection, query: TraceQuery) -> list[TraceRecord]:
    """The newest traces that fit, newest first; reads at most `MAX_SCAN` traces.

    Ends early once `MAX_ANSWER_SPANS` spans are found.
    """
    found: list[TraceRecord] = []
    room = MAX_ANSWER_SPANS
    for traces in _in_chunks(connection, _candidates(connection, query)):
        fitting = [trace for trace in traces if _fits(trace, query)]
        found += fitting
        room -= sum(len(trace.spans) for trace in fitting)
        if len(found) >= query.limit or room <= 0:
            break
    return found[: query.limit]


def _fits(trace: TraceRecord, query: TraceQuery) -> bool:
    return query.matches is None or any(query.matches(span) for span in trace.spans)


def _candidates(connection: sqlite3.Connection, query: TraceQuery) -> list[TraceRef]:
    source, parameters = _source(query)
    wheres = ["t.started_at <= ?", "t.ended_at >= ?"]
    parameters += [query.ended_ns, query.started_ns]
    if query.saga_ids and query.service:
        wheres.append(_HAS_SERVICE)
        parameters.append(query.service[:MAX_NAME])
    limit = query.limit if query.matches is None else MAX_SCAN
    sql = f"""SELECT t.id, t.trace_id FROM {source} WHERE {" AND ".join(wheres)}
              ORDER BY t.id DESC LIMIT ?"""
    return connection.execute(sql, (*parameters, limit)).fetchall()


def _source(query: TraceQuery) -> tuple[str, list[str | int]]:
    """Where to look first: the index that leaves the fewest traces."""
    if query.saga_ids:
        return _BY_SAGA.format(",".join("?" * len(query.saga_ids))), [*query.saga_ids]
    if query.operation and query.service:
        return _BY_OPERATION, [query.service[:MAX_NAME], query.operation[:MAX_NAME]]
    if query.service:
        return _BY_SERVICE, [query.service[:MAX_NAME]]
    return "traces t", []


_BY_SAGA: Final = """
    (SELECT DISTINCT trace FROM saga_traces JOIN sagas ON sagas.id = saga WHERE saga_id IN ({}))
    JOIN traces t ON t.id = trace"""
_HAS_SERVICE: Final = """
    EXISTS (SELECT 1 FROM trace_services ts WHERE ts.trace = t.id
            AND ts.service = (SELECT id FROM services WHERE name = ?))"""
_BY_SERVICE: Final = """
    (SELECT trace FROM trace_services WHERE service = (SELECT id FROM services WHERE name = ?))
    JOIN traces t ON t.id = trace"""
_BY_OPERATION: Final = """
    (SELECT DISTINCT trace FROM trace_operations WHERE operation IN
        (SELECT o.id FROM operations o JOIN services s ON s.id = o.service
         WHERE s.name = ? AND o.name = ?))
    JOIN traces t ON t.id = trace"""


def _in_chunks(connection: sqlite3.Connection, refs: list[TraceRef]) -> Iterator[list[TraceRecord]]:
    for first in range(0, len(refs), _CHUNK):
        yield read(connection, refs[first : first + _CHUNK])


def read(connection: sqlite3.Connection, refs: list[TraceRef]) -> list[TraceRecord]:
    """The traces behind `refs`, in that order, at most `MAX_ANSWER_SPANS` spans together.

    A span that was sent twice stands once.
    """
    spans: dict[str, dict[tuple[str, str], SpanRecord]] = {t.hex(): {} for _, t in refs}
    wanted, room = frozenset(trace_id for _, trace_id in refs), MAX_ANSWER_SPANS
    for block in _blocks_of(connection, [row for row, _ in refs]):
        for span in blocks.read_spans(block, wanted):
            if room <= 0:
                break
            spans[span.trace_id].setdefault((span.span_id, span.kind), span)
            room -= 1
    return [
        TraceRecord(trace_id, sorted(found.values(), key=_start))
        for trace_id, found in spans.items()
    ]


def _start(span: SpanRecord) -> int:
    return span.started_ns


def _blocks_of(connection: sqlite3.Connection, rows: list[int]) -> Iterator[bytes]:
    seen: set[int] = set()
    for row in rows:
        found = connection.execute("SELECT block FROM trace_blocks WHERE trace = ?", (row,))
        seen.update(block for (block,) in found.fetchall())
    for block in sorted(seen):
        found = connection.execute("SELECT data FROM blocks WHERE id = ?", (block,))
        yield from (data for (data,) in found.fetchall())


def dependencies(
    connection: sqlite3.Connection, started_ns: int, ended_ns: int
) -> list[DependencyRecord]:
    """Which service stood above which, in the newest 1,000 traces of that time."""
    sql = """SELECT id, trace_id FROM traces WHERE started_at <= ? AND ended_at >= ?
             ORDER BY id DESC LIMIT ?"""
    refs = connection.execute(sql, (ended_ns, started_ns, _DEPENDENCY_TRACES)).fetchall()
    calls: Counter[tuple[str, str]] = Counter()
    for traces in _in_chunks(connection, refs):
        for trace in traces:
            calls.update(_crossings(trace.spans))
    return [DependencyRecord(*pair, count) for pair, count in sorted(calls.items())]


def _crossings(spans: Iterable[SpanRecord]) -> Iterator[tuple[str, str]]:
    spans = list(spans)
    service_of = {span.span_id: span.service for span in spans}
    for span in spans:
        parent = service_of.get(span.parent_span_id or "")
        if parent and parent != span.service:
            yield parent, span.service
