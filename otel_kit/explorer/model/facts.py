"""What a span says of itself, read tolerantly: attributes are what some service sent."""

import math
from typing import Final, TypeAlias

from otel_kit import names
from otel_kit.records import Attributes, SpanRecord

SpanKey: TypeAlias = tuple[str, str]
"""Trace id and span id."""

INBOUND: Final = frozenset({"server", "consumer"})
OUTBOUND: Final = frozenset({"client", "producer"})
LOST: Final = frozenset({"missing", "invalid", "stale"})
"""Values of ``otel_kit.propagation`` of a hop that did not get its context."""

_EXCEPTION: Final = "exception"
_EXCEPTION_MESSAGE: Final = "exception.message"
_MAX_REASON: Final = 300


def key(span: SpanRecord) -> SpanKey:
    """What a span is known by."""
    return span.trace_id, span.span_id


def text(attributes: Attributes, name: str) -> str:
    """An attribute as text, empty when absent."""
    value = attributes.get(name)
    return "" if value is None else str(value)


def number(span: SpanRecord, name: str) -> float | None:
    """A finite numeric attribute, None when absent or of another type."""
    value = span.attributes.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def failed(span: SpanRecord) -> bool:
    """Whether the span ended in an error."""
    return span.status == "error"


def error_class(span: SpanRecord) -> str:
    """The kit's class of the span's error, else what ``error.type`` says, empty on success."""
    found = text(span.attributes, names.SPAN_ERROR_CLASS) or text(span.attributes, names.ERROR_TYPE)
    return found or (names.UNKNOWN if failed(span) else "")


def reason(span: SpanRecord) -> str:
    """The words of the error: the status message, else the last exception's; one line, bounded."""
    said = span.status_message
    for event in reversed(span.events):
        if not said and event.name == _EXCEPTION:
            said = text(event.attributes, _EXCEPTION_MESSAGE)
    return " ".join(said.split())[:_MAX_REASON]


def destination(span: SpanRecord) -> str:
    """The queue or topic of a messaging span, else empty."""
    return text(span.attributes, names.MESSAGING_DESTINATION)


def peer(span: SpanRecord) -> str:
    """The other side of a hop, as far as the span knows it."""
    if span.kind in INBOUND and (client := text(span.attributes, names.SPAN_CLIENT)):
        return client
    return text(span.attributes, names.PEER_NAME) or text(span.attributes, names.SERVER_ADDRESS)


def is_of(span: SpanRecord, saga_id: str) -> bool:
    """Whether the span is of this saga: it names it, or none (a batch can hold several sagas)."""
    return text(span.attributes, names.SAGA_ID) in ("", saga_id)


def attempt(span: SpanRecord) -> int | None:
    """The number of an attempt of a retried call, from 1; None for any other span."""
    found = number(span, names.SPAN_RETRY_ATTEMPT)
    return None if found is None else int(found)


def retries(later: SpanRecord, earlier: SpanRecord) -> bool:
    """Whether `later` tries again what `earlier`, under the same parent, failed to do."""
    first, second = attempt(earlier), attempt(later)
    if first is not None and second is not None:
        return second == first + 1
    same = (earlier.name, earlier.kind, earlier.service) == (later.name, later.kind, later.service)
    return same and failed(earlier) and earlier.ended_ns <= later.started_ns
