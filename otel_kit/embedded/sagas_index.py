"""Finds the saga attributes on spans and log records; pure.

The value of an attribute is an encoded ``AnyValue`` here, as most are never looked at.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_kit import names
from otel_kit.embedded import otlp
from otel_kit.embedded.batches import COMPENSATION, STEP_KINDS, SagaSlice, StepSeen
from otel_kit.embedded.config import MAX_NAME
from otel_kit.embedded.span_sections import Section

_Found: TypeAlias = Mapping[str, bytes]
_Look: TypeAlias = Callable[[SagaSlice, str, Any, _Found], None]
"""Takes in the value of an attribute of a span, given with all of them."""


def index_spans(body: bytes, sections: Iterable[Section], sagas: dict[str, SagaSlice]) -> None:
    """Add what spans say about the sagas they name.

    `body` is what they were read from: a name that is not in it need not be looked for.
    """
    if _FINISHED in body:
        for section in sections:
            _index_finishes(section, sagas)
    if _SAGA_ID in body:
        looks = [(key, look) for key, look in _LOOKS if key.encode() in body]
        for section in sections:
            _index_attributes(section, looks, sagas)


def _index_attributes(
    section: Section, looks: list[tuple[str, _Look]], sagas: dict[str, SagaSlice]
) -> None:
    attributes = [span.attributes for span in section.spans]
    named = [found.get(names.SAGA_ID) for found in attributes]
    known = _known(named, attributes, sagas)
    of_spans = [known[name] for name in named]
    _index_times(section, of_spans)
    for key, look in looks:
        for saga, found, span in zip(of_spans, attributes, section.spans, strict=True):
            if saga is not None and (value := found.get(key)) is not None:
                look(saga, _decoded(value), span, found)


def _index_times(section: Section, sagas: list[SagaSlice | None]) -> None:
    rows = zip(sagas, section.trace_ids, section.starts, section.ends, strict=True)
    for saga, trace_id, start, end in rows:
        if saga is not None:
            if start < saga.started_ns:
                saga.started_ns = start
            if end > saga.active_ns:
                saga.active_ns = end
            saga.traces.add(trace_id)


def _known(
    named: list[bytes | None], attributes: list[_Found], sagas: dict[str, SagaSlice]
) -> dict[bytes | None, SagaSlice | None]:
    """The saga that each attribute names, None if it cannot be one; without times."""
    firsts = dict(zip(reversed(named), reversed(attributes), strict=True))
    known = {
        name: _slice(firsts[name], sagas, _NEVER, 0) if name else None
        for name in dict.fromkeys(named)
    }
    if any(saga and not saga.name for saga in known.values()):
        for name, found in zip(named, attributes, strict=True):
            if saga := known[name]:
                saga.name = saga.name or _name(found)
    return known


def _outcome(saga: SagaSlice, outcome: str, span: Any, _: _Found) -> None:
    saga.saw_outcome(outcome, span.end_time_unix_nano)


def _attempt(saga: SagaSlice, attempt: str, _: Any, __: _Found) -> None:
    saga.retries += attempt.isdecimal() and attempt.lstrip("0") not in ("", "1")


def _step(saga: SagaSlice, step: str, span: Any, found: _Found) -> None:
    failed = span.status.code == otlp.STATUS_ERROR
    times = (span.start_time_unix_nano, span.end_time_unix_nano)
    _index_step(saga, step, found, span.span_id, *times, failed)


_LOOKS: Final[tuple[tuple[str, _Look], ...]] = (
    (names.SAGA_OUTCOME, _outcome),
    (names.SPAN_RETRY_ATTEMPT, _attempt),
    (names.SAGA_STEP, _step),
)
_SAGA_ID: Final = names.SAGA_ID.encode()
_STRING: Final = AnyValue.DESCRIPTOR.fields_by_name["string_value"].number << 3 | 2
"""The key of that field: its number, and that its length follows."""
_NEVER: Final = 2**63 - 1
_FINISHED: Final = names.EVENT_SAGA_FINISHED.encode()


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


def _index_finishes(section: Section, sagas: dict[str, SagaSlice]) -> None:
    rows = zip(section.spans, section.trace_ids, section.starts, section.ends, strict=True)
    for span, trace_id, start, end in rows:
        for event in span.events:
            if event.name == names.EVENT_SAGA_FINISHED:
                _index_finish(event, trace_id, start, end, sagas)


def _index_finish(
    event: Any, trace_id: bytes, start: int, end: int, sagas: dict[str, SagaSlice]
) -> None:
    """The event names its saga: a batch handler may finish several within one span."""
    at = min(event.time_unix_nano, end)
    saga = _slice(event.attributes, sagas, start, at)
    if saga is not None:
        saga.traces.add(trace_id)
        saga.saw_outcome(_text(event.attributes, names.SAGA_OUTCOME), at)


def index_log(log: LogRecord, sagas: dict[str, SagaSlice], block: int) -> None:
    """Add what one log record, kept in `block`, says about the saga it names."""
    found = {pair.key: pair.value.SerializeToString() for pair in log.attributes}
    at = otlp.log_time(log)
    saga = _slice(found, sagas, at, at)
    if saga is None:
        return
    saga.log_blocks.add(block)
    step = _text(found, names.SAGA_STEP)
    if step and otlp.event_name(log) == names.EVENT_STEP_STARTED:
        _index_step(saga, step, found, log.span_id, at)


def _slice(found: _Found, sagas: dict[str, SagaSlice], start: int, end: int) -> SagaSlice | None:
    """The saga that is named, with these times; None if there is none or its id is too long."""
    saga_id = _text(found, names.SAGA_ID)
    if not saga_id or len(saga_id) > MAX_NAME:
        return None
    saga = sagas.get(saga_id)
    if saga is None:
        saga = sagas[saga_id] = SagaSlice(start, end, _name(found))
        return saga
    saga.started_ns = min(saga.started_ns, start)
    saga.active_ns = max(saga.active_ns, end)
    saga.name = saga.name or _name(found)
    return saga


def _name(found: _Found) -> str:
    return _text(found, names.SAGA_NAME)[:MAX_NAME]


def _text(found: _Found, key: str) -> str:
    value = found.get(key)
    return "" if value is None else _decoded(value)


def _decoded(value: bytes) -> str:
    """An encoded ``AnyValue`` as text: at once if it is a short string and nothing else."""
    if len(value) > 1 and value[0] == _STRING and value[1] == len(value) - 2 < 128:
        return value[2:].decode()
    return otlp.text(AnyValue.FromString(value))
