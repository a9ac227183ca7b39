"""Finds the saga attributes on spans and log records; pure."""

from collections.abc import Iterable
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_kit import names
from otel_kit.embedded import otlp
from otel_kit.embedded.batches import COMPENSATION, STEP_KINDS, SagaSlice, StepSeen
from otel_kit.embedded.config import MAX_NAME

_KEYS: Final = frozenset(
    {
        names.SAGA_ID,
        names.SAGA_NAME,
        names.SAGA_STEP,
        names.SAGA_STEP_KIND,
        names.SAGA_COMPENSATES,
        names.SAGA_OUTCOME,
        names.SPAN_RETRY_ATTEMPT,
    }
)


def index_span(span: Span, sagas: dict[str, SagaSlice]) -> None:
    """Add what one span says about the saga it names, if it names one."""
    for event in span.events:
        if event.name == names.EVENT_SAGA_FINISHED:
            _index_finish(event, span, sagas)
    found = _saga_attributes(span.attributes)
    if names.SAGA_ID not in found:
        return
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    saga = _slice(found, sagas, start, end)
    if saga is None:
        return
    saga.traces.add(span.trace_id)
    if outcome := found.get(names.SAGA_OUTCOME):
        saga.saw_outcome(outcome, end)
    if names.SPAN_RETRY_ATTEMPT in found:
        saga.retries += _is_repeat(found[names.SPAN_RETRY_ATTEMPT])
    if names.SAGA_STEP in found:
        failed = span.status.code == otlp.STATUS_ERROR
        _index_step(saga, found, span.span_id, start, end, failed)


def _index_step(
    saga: SagaSlice,
    found: dict[str, str],
    span_id: bytes,
    started_ns: int,
    ended_ns: int | None = None,
    failed: bool = False,
) -> None:
    step, kind = found[names.SAGA_STEP][:MAX_NAME], found.get(names.SAGA_STEP_KIND)
    if not step or kind not in STEP_KINDS:
        return
    undone = found.get(names.SAGA_COMPENSATES, "")[:MAX_NAME] if kind == COMPENSATION else ""
    saga.saw_step(StepSeen(span_id, step, kind, undone, started_ns, ended_ns, failed))


def _is_repeat(attempt: str) -> bool:
    return attempt.isdecimal() and attempt.lstrip("0") not in ("", "1")


def _index_finish(event: Span.Event, span: Span, sagas: dict[str, SagaSlice]) -> None:
    """The event names its saga: a batch handler may finish several within one span."""
    found = _saga_attributes(event.attributes)
    at = min(event.time_unix_nano, span.end_time_unix_nano)
    saga = _slice(found, sagas, span.start_time_unix_nano, at)
    if saga is not None:
        saga.traces.add(span.trace_id)
        saga.saw_outcome(found.get(names.SAGA_OUTCOME, ""), at)


def index_log(log: LogRecord, sagas: dict[str, SagaSlice], block: int) -> None:
    """Add what one log record, kept in `block`, says about the saga it names."""
    found = _saga_attributes(log.attributes)
    at = otlp.log_time(log)
    saga = _slice(found, sagas, at, at)
    if saga is None:
        return
    saga.log_blocks.add(block)
    if names.SAGA_STEP in found and otlp.event_name(log) == names.EVENT_STEP_STARTED:
        _index_step(saga, found, log.span_id, at)


def _saga_attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key = pair.key
        if key in _KEYS:
            found[key] = pair.value.string_value or otlp.text(pair.value)
    return found


def _slice(
    found: dict[str, str], sagas: dict[str, SagaSlice], start: int, end: int
) -> SagaSlice | None:
    saga_id = found.get(names.SAGA_ID, "")
    if not saga_id or len(saga_id) > MAX_NAME:
        return None
    saga = sagas.get(saga_id)
    if saga is None:
        saga = sagas[saga_id] = SagaSlice(start, start)
    if start < saga.started_ns:
        saga.started_ns = start
    if end > saga.active_ns:
        saga.active_ns = end
    saga.name = saga.name or found.get(names.SAGA_NAME, "")[:MAX_NAME]
    return saga
