"""OTLP requests to what the store wants: validates, groups into blocks, finds what to index; pure.

Whole requests are refused with `Malformed`; single spans and log records that make no sense are
left out and counted, as OTLP's partial success wants it.  Bytes in, batches out: nothing here
touches the disk or the network.
"""

from collections.abc import Iterable
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ScopeLogs

from otel_kit.embedded import blocks, otlp, sagas_index, span_parts, span_sections
from otel_kit.embedded.batches import LogBatch, LogBlock, SpanBlock, TraceBatch
from otel_kit.embedded.config import BLOCK_BYTES, BLOCK_RECORDS
from otel_kit.embedded.frames import check_elements
from otel_kit.embedded.problems import Malformed
from otel_kit.embedded.span_sections import Section

__all__ = [
    "ExportLogsServiceRequest",
    "ExportTraceServiceRequest",
    "index_logs",
    "index_traces",
    "parse",
]

M = TypeVar("M", bound=Message)
_MAX_TIME: Final = 2**63 - 1
"""The year 2262; SQLite's integers end here."""


def parse(kind: type[M], body: bytes) -> M:
    """The request that `body` is; raises Malformed or TooLarge."""
    check_elements(body, kind)
    try:
        return kind.FromString(body)
    except (DecodeError, RecursionError) as error:
        raise Malformed(f"the body is not a protobuf {kind.__name__}: {error}") from error


def index_traces(body: bytes) -> TraceBatch:
    """Validate and index the spans of one request; raises Malformed or TooLarge."""
    parse(ExportTraceServiceRequest, body)  # for its faults: below it is read in other ways
    batch = TraceBatch()
    sections = span_sections.read(body)
    if len(body) <= BLOCK_BYTES and all(section.is_valid() for section in sections):
        _add_block(body, sections, batch)
    else:
        for part in span_parts.split(body, batch.rejected):
            _add_block(part, span_sections.read(part), batch)
    return batch


def _add_block(body: bytes, sections: list[Section], batch: TraceBatch) -> None:
    """Keep a request of valid spans as it came."""
    starts = [at for section in sections for at in section.starts]
    if not starts:
        return
    traces, operations = dict[str, set[bytes]](), set[tuple[str, str, int]]()
    for section in sections:
        traces.setdefault(section.service, set()).update(section.trace_ids)
        operations.update(section.operations())
        section.add_to(batch.traces)
    sagas_index.index_spans(body, sections, batch.sagas)
    data = blocks.compress(body)
    batch.blocks.append(SpanBlock(data, traces, operations, min(starts), max(starts)))


def index_logs(body: bytes) -> LogBatch:
    """Validate, group and index the log records of one request; one block for each scope.

    Raises Malformed or TooLarge.
    """
    batch = LogBatch()
    for group in parse(ExportLogsServiceRequest, body).resource_logs:
        for scope_logs in group.scope_logs:
            valid = _valid_logs(scope_logs.log_records, batch)
            for first in range(0, len(valid), BLOCK_RECORDS):
                chunk = valid[first : first + BLOCK_RECORDS]
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
    batch.blocks.append(LogBlock(blocks.compress(data.SerializeToString()), trace_ids, len(chunk)))


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
