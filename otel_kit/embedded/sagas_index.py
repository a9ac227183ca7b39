"""Finds the saga attributes on spans and log records; pure."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_kit import names
from otel_kit.embedded import otlp
from otel_kit.embedded.batches import COMPENSATION, STEP_KINDS, SagaSlice, StepSeen
from otel_kit.embedded.config import MAX_NAME

_Found: TypeAlias = Mapping[str, AnyValue]


def index_span(
    span: Any, trace_id: bytes, start: int, end: int, sagas: dict[str, SagaSlice]
) -> None:
    """Add what one span (of `span_views.INDEXED`) says about the saga it names, if it names one.

    Its trace id and times are given because each look at a message takes time.
    """
    for event in span.events:
        if event.name == names.EVENT_SAGA_FINISHED:
            _index_finish(event, trace_id, start, end, sagas)
    found = span.attributes
    saga = _slice(found, sagas, start, end)
    if saga is None:
        return
    saga.traces.add(trace_id)
    if (outcome := found.get(names.SAGA_OUTCOME)) is not None:
        saga.saw_outcome(otlp.text(outcome), end)
    if (attempt := found.get(names.SPAN_RETRY_ATTEMPT)) is not None:
        saga.retries += _is_repeat(otlp.text(attempt))
    if (step := found.get(names.SAGA_STEP)) is not None:
        failed = span.status.code == otlp.STATUS_ERROR
        _index_step(saga, otlp.text(step), found, span.span_id, start, end, failed)


def _index_step(
    saga: SagaSlice,
    step: str,
    found: _Found,
    span_id: bytes,
    started_ns: int,
    ended_ns: int | None = None,
    failed: bool = False,
) -> None:
    kind = _text(found, names.SAGA_STEP_KIND)
    if not step or kind not in STEP_KINDS:
        return
    undone = _text(found, names.SAGA_COMPENSATES)[:MAX_NAME] if kind == COMPENSATION else ""
    seen = StepSeen(span_id, step[:MAX_NAME], kind, undone, started_ns, ended_ns, failed)
    saga.saw_step(seen)


def _is_repeat(attempt: str) -> bool:
    return attempt.isdecimal() and attempt.lstrip("0") not in ("", "1")


def _index_finish(
    event: Any, trace_id: bytes, start: int, end: int, sagas: dict[str, SagaSlice]
) -> None:
    """The event names its saga: a batch handler may finish several within one span."""
    found = event.attributes
    at = min(event.time_unix_nano, end)
    saga = _slice(found, sagas, start, at)
    if saga is not None:
        saga.traces.add(trace_id)
        saga.saw_outcome(_text(found, names.SAGA_OUTCOME), at)


def index_log(log: LogRecord, sagas: dict[str, SagaSlice], block: int) -> None:
    """Add what one log record, kept in `block`, says about the saga it names."""
    found = {pair.key: pair.value for pair in log.attributes}
    at = otlp.log_time(log)
    saga = _slice(found, sagas, at, at)
    if saga is None:
        return
    saga.log_blocks.add(block)
    step = _text(found, names.SAGA_STEP)
    if step and otlp.event_name(log) == names.EVENT_STEP_STARTED:
        _index_step(saga, step, found, log.span_id, at)


def _text(found: _Found, key: str) -> str:
    value = found.get(key)
    if value is None:
        return ""
    return value.string_value or otlp.text(value)


def _slice(found: _Found, sagas: dict[str, SagaSlice], start: int, end: int) -> SagaSlice | None:
    named = found.get(names.SAGA_ID)
    if named is None:
        return None
    saga_id = named.string_value or otlp.text(named)
    saga = sagas.get(saga_id)
    if saga is None:
        if not saga_id or len(saga_id) > MAX_NAME:
            return None
        saga = sagas[saga_id] = SagaSlice(start, start)
    if start < saga.started_ns:
        saga.started_ns = start
    if end > saga.active_ns:
        saga.active_ns = end
    if not saga.name:
        saga.name = _text(found, names.SAGA_NAME)[:MAX_NAME]
    return saga
