"""Reads traces, services and operations from a snapshot of the store."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from otel_kit.embedded import blocks, otlp, saga_rows
from otel_kit.embedded.config import MAX_ANSWER_SPANS, MAX_NAME, MAX_SCAN
from otel_kit.embedded.generations import stored
from otel_kit.records import DependencyRecord, OperationRecord, SpanRecord, TraceRecord

SpanFilter: TypeAlias = Callable[[SpanRecord], bool]

_CHUNK: Final = 50
_DEPENDENCY_TRACES: Final = 1_000


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What to look for.  Times are ns since the epoch; ``matches`` must hold for one span.

    Saga ids hold for the trace as a whole, and so does the service beside them.  With a service
    alone, the times are those in which one of its spans started.
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
    return [trace for trace in read(connection, list(trace_ids)) if trace.spans]


def find(connection: sqlite3.Connection, query: TraceQuery) -> list[TraceRecord]:
    """The newest traces that fit, newest first; reads at most `MAX_SCAN` traces.

    Ends early once `MAX_ANSWER_SPANS` spans are found.
    """
    found: list[TraceRecord] = []
    room = MAX_ANSWER_SPANS
    limit = query.limit if query.matches is None else MAX_SCAN
    for traces in _in_chunks(connection, islice(_candidates(connection, query), limit)):
        fitting = [trace for trace in traces if _fits(trace, query)]
        found += fitting
        room -= sum(len(trace.spans) for trace in fitting)
        if len(found) >= query.limit or room <= 0:
            break
    return found[: query.limit]


def _fits(trace: TraceRecord, query: TraceQuery) -> bool:
    return query.matches is None or any(query.matches(span) for span in trace.spans)


def _candidates(connection: sqlite3.Connection, query: TraceQuery) -> Iterator[bytes]:
    """Ids of traces, the newest first, each once."""
    if query.service and not query.saga_ids:
        found = _in_blocks(connection, query)
    else:
        found = _in_traces(connection, query)
    return _unique(found)


def _in_traces(connection: sqlite3.Connection, query: TraceQuery) -> Iterator[bytes]:
    source, wheres = "traces t", ["t.started_at <= ?", "t.ended_at >= ?"]
    parameters: list[str | int] = [query.ended_ns, query.started_ns]
    if query.saga_ids:
        rows = [saga_rows.find(connection, saga_id) for saga_id in query.saga_ids]
        source, parameters = _BY_SAGA, [json.dumps(rows), *parameters]
    if query.service:
        wheres.append(_HAS_SERVICE)
        parameters.append(query.service[:MAX_NAME])
    sql = f"SELECT t.trace_id FROM {source} WHERE {' AND '.join(wheres)} ORDER BY t.id DESC"
    return (trace_id for (trace_id,) in connection.execute(sql, parameters))


_BY_SAGA: Final = """
    (SELECT DISTINCT trace FROM saga_traces WHERE saga IN (SELECT value FROM json_each(?)))
    JOIN traces t ON t.id = trace"""
_HAS_SERVICE: Final = """
    EXISTS (SELECT 1 FROM trace_blocks tb WHERE tb.trace = t.id
            AND tb.service = (SELECT id FROM services WHERE name = ?))"""


def _in_blocks(connection: sqlite3.Connection, query: TraceQuery) -> Iterator[bytes]:
    """Traces with a span of the service and operation, those of the newest block first."""
    service, operation = query.service[:MAX_NAME], query.operation[:MAX_NAME]
    sql = _BLOCKS_OF_OPERATION if operation else _BLOCKS_OF_SERVICE
    named = {"service": service, "operation": operation}
    times = {"started": query.started_ns, "ended": query.ended_ns}
    for (block,) in connection.execute(sql, {**named, **times}):
        yield from blocks.trace_ids(_data(connection, block), service, operation)


_BLOCKS: Final = """SELECT id FROM ({}) JOIN blocks ON id = block
    WHERE first_start <= :ended AND last_start >= :started ORDER BY id DESC"""
_BLOCKS_OF_SERVICE: Final = _BLOCKS.format(
    """SELECT block FROM block_services
       WHERE service = (SELECT id FROM services WHERE name = :service)"""
)
_BLOCKS_OF_OPERATION: Final = _BLOCKS.format(
    """SELECT DISTINCT block FROM block_operations WHERE operation IN
       (SELECT o.id FROM operations o JOIN services s ON s.id = o.service
        WHERE s.name = :service AND o.name = :operation)"""
)


def _data(connection: sqlite3.Connection, block: int) -> bytes:
    (data,) = connection.execute("SELECT data FROM blocks WHERE id = ?", (block,)).fetchone()
    return bytes(data)


def _unique(trace_ids: Iterable[bytes]) -> Iterator[bytes]:
    seen: set[bytes] = set()
    for trace_id in trace_ids:
        if trace_id not in seen:
            seen.add(trace_id)
            yield trace_id


def _in_chunks(
    connection: sqlite3.Connection, trace_ids: Iterator[bytes]
) -> Iterator[list[TraceRecord]]:
    while some := list(islice(trace_ids, _CHUNK)):
        yield read(connection, some)


def read(connection: sqlite3.Connection, trace_ids: Sequence[bytes]) -> list[TraceRecord]:
    """The traces of these ids, in that order, at most `MAX_ANSWER_SPANS` spans together.

    A span that was sent twice stands once.  A trace that is not stored has none.
    """
    spans: dict[str, dict[tuple[str, str], SpanRecord]] = {t.hex(): {} for t in trace_ids}
    wanted, room = frozenset(trace_ids), MAX_ANSWER_SPANS
    for block in _blocks_of(connection, wanted):
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


def _blocks_of(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> Iterator[bytes]:
    generations = stored(connection, "traces")
    found: set[int] = set()
    for trace_id in trace_ids:
        rows = connection.execute(_BLOCKS_OF_TRACE, (generations, trace_id))
        found.update([block for (block,) in rows])
    for block in sorted(found):
        yield _data(connection, block)


_BLOCKS_OF_TRACE: Final = """
    SELECT block FROM json_each(?) JOIN traces ON generation = value AND trace_id = ?
    JOIN trace_blocks ON trace = traces.id"""


def dependencies(
    connection: sqlite3.Connection, started_ns: int, ended_ns: int
) -> list[DependencyRecord]:
    """Which service stood above which, in the newest 1,000 traces of that time."""
    query = TraceQuery(started_ns=started_ns, ended_ns=ended_ns)
    newest = islice(_candidates(connection, query), _DEPENDENCY_TRACES)
    calls: Counter[tuple[str, str]] = Counter()
    for traces in _in_chunks(connection, newest):
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
