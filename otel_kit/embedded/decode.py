"""OTLP requests to what the store wants: validates, groups into blocks, finds what to index; pure.

Whole requests are refused with `Malformed`; single spans and log records that make no sense are
left out and counted, as OTLP's partial success wants it.  Bytes in, batches out: nothing here
touches the disk or the network.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ScopeLogs

from otel_kit.embedded import blocks, otlp, sagas_index
from otel_kit.embedded.batches import Block, LogBatch, TraceBatch, TraceSlice
from otel_kit.embedded.config import BLOCK_SPANS, MAX_NAME
from otel_kit.embedded.frames import check_elements
from otel_kit.embedded.problems import Malformed
from otel_kit.embedded.span_views import INDEXED, PACKED

__all__ = [
    "ExportLogsServiceRequest",
    "ExportTraceServiceRequest",
    "index_logs",
    "index_traces",
    "parse",
]

M = TypeVar("M", bound=Message)
_Packed: TypeAlias = tuple[bytes, bytes]
"""A span's trace id and the span as it came."""
_trace_id: Final = itemgetter(0)

_MAX_TIME: Final = 2**63 - 1
"""The year 2262; SQLite's integers end here."""
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)


def parse(kind: type[M], body: bytes) -> M:
    """The request that `body` is; raises Malformed or TooLarge."""
    check_elements(body, kind)
    try:
        return kind.FromString(body)
    except (DecodeError, RecursionError) as error:
        raise Malformed(f"the body is not a protobuf {kind.__name__}: {error}") from error


def index_traces(body: bytes) -> TraceBatch:
    """Validate, group and index the spans of one request; raises Malformed or TooLarge."""
    parse(ExportTraceServiceRequest, body)  # for its faults: below it is read in other ways
    batch, packer = TraceBatch(), _Packer()
    packed, indexed = PACKED.FromString(body), INDEXED.FromString(body)
    for group, facts in zip(packed.resource_spans, indexed.resource_spans, strict=True):
        service = otlp.service_name(group.resource)[:MAX_NAME]
        for scope_spans, views in zip(group.scope_spans, facts.scope_spans, strict=True):
            valid = _index_spans(views.spans, scope_spans.spans, service, batch)
            packer.add(group, scope_spans, valid)
    batch.blocks = packer.finish()
    return batch


def _index_spans(
    spans: Iterable[Any], data: Iterable[bytes], service: str, batch: TraceBatch
) -> list[_Packed]:
    valid = []
    for span, packed in zip(spans, data, strict=True):
        trace_id = span.trace_id
        fault = _span_fault(span, trace_id)
        if fault:
            batch.rejected.add(fault)
            continue
        valid.append((trace_id, packed))
        _index_span(span, trace_id, service, batch)
    return valid


def _index_span(span: Any, trace_id: bytes, service: str, batch: TraceBatch) -> None:
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    trace = batch.traces.get(trace_id)
    if trace is None:
        trace = batch.traces[trace_id] = TraceSlice(start, end)
    if start < trace.started_ns:
        trace.started_ns = start
    if end > trace.ended_ns:
        trace.ended_ns = end
    trace.spans += 1
    if span.status.code == otlp.STATUS_ERROR:
        trace.errors += 1
    trace.operations.add((service, span.name[:MAX_NAME], span.kind))
    sagas_index.index_span(span, trace_id, start, end, batch.sagas)


def _span_fault(span: Any, trace_id: bytes) -> str:
    span_id = span.span_id
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        return "a span's trace_id must be 16 bytes and not all zero"
    if len(span_id) != 8 or span_id == _NO_SPAN:
        return "a span's span_id must be 8 bytes and not all zero"
    if len(span.parent_span_id) not in (0, 8):
        return "a span's parent_span_id must be empty or 8 bytes"
    if span.start_time_unix_nano > _MAX_TIME or span.end_time_unix_nano > _MAX_TIME:
        return "a span's times must be before the year 2262"
    return ""


class _Packer:
    """Fills blocks of `BLOCK_SPANS` spans, those of one trace side by side."""

    def __init__(self) -> None:
        self._data = PACKED()
        self._trace_ids: set[bytes] = set()
        self._spans = 0
        self._group: Any = None
        self._blocks: list[Block] = []

    def add(self, group: Any, scope_spans: Any, spans: list[_Packed]) -> None:
        spans.sort(key=_trace_id)
        while spans:
            room = BLOCK_SPANS - self._spans
            self._append(group, scope_spans, spans[:room])
            spans = spans[room:]
            if self._spans == BLOCK_SPANS:
                self._flush()

    def _append(self, group: Any, scope_spans: Any, spans: list[_Packed]) -> None:
        if self._group is not group:
            self._group = group
            target = self._data.resource_spans.add(schema_url=group.schema_url)
            target.resource.CopyFrom(group.resource)
        scope = self._data.resource_spans[-1].scope_spans.add(schema_url=scope_spans.schema_url)
        scope.scope.CopyFrom(scope_spans.scope)
        scope.spans.extend([packed for _, packed in spans])
        self._spans += len(spans)
        self._trace_ids.update([trace_id for trace_id, _ in spans])

    def _flush(self) -> None:
        data = blocks.compress(self._data.SerializeToString())
        self._blocks.append(Block(data, frozenset(self._trace_ids), self._spans))
        self._data, self._trace_ids, self._spans, self._group = PACKED(), set(), 0, None

    def finish(self) -> list[Block]:
        """Every block; the last one may be short."""
        if self._spans:
            self._flush()
        return self._blocks


def index_logs(body: bytes) -> LogBatch:
    """Validate, group and index the log records of one request; one block for each scope.

    Raises Malformed or TooLarge.
    """
    batch = LogBatch()
    for group in parse(ExportLogsServiceRequest, body).resource_logs:
        for scope_logs in group.scope_logs:
            valid = _valid_logs(scope_logs.log_records, batch)
            for first in range(0, len(valid), BLOCK_SPANS):
                chunk = valid[first : first + BLOCK_SPANS]
                data = LogsData()
                target = data.resource_logs.add(schema_url=group.schema_url)
                target.resource.CopyFrom(group.resource)
                scope = target.scope_logs.add(schema_url=scope_logs.schema_url)
                _add_log_block(batch, data, scope_logs, scope, chunk)
    return batch


def _add_log_block(
    batch: LogBatch, data: LogsData, source: ScopeLogs, target: ScopeLogs, chunk: list[LogRecord]
) -> None:
    target.scope.CopyFrom(source.scope)
    target.log_records.extend(chunk)
    for log in chunk:
        sagas_index.index_log(log, batch.sagas, len(batch.blocks))
    trace_ids = frozenset(log.trace_id for log in chunk if log.trace_id)
    batch.blocks.append(Block(blocks.compress(data.SerializeToString()), trace_ids, len(chunk)))


def _valid_logs(records: Iterable[LogRecord], batch: LogBatch) -> list[LogRecord]:
    valid = []
    for log in records:
        if len(log.trace_id) not in (0, 16) or len(log.span_id) not in (0, 8):
            batch.rejected.add("a log record's trace_id must be 16 bytes or empty, its span_id 8")
        elif otlp.log_time(log) > _MAX_TIME:
            batch.rejected.add("a log record's time must be before the year 2262")
        else:
            valid.append(log)
    return valid
