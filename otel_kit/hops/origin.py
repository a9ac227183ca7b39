"""What a dead letter's headers keep of the message's first life.

`otelkit-origin-traceparent`, `-tracestate` and `-baggage` are the headers that the message was
first sent with, `otelkit-origin-destination` is where it was first put aside, and
`otelkit-attempts` is the history of failed attempts, oldest first, comma-separated, at most 20:
`<unix s>:<service>:<error class>`.  They stay with the message however often it is put aside.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext

from otel_kit import names
from otel_kit.hops.hop import Carrier
from otel_kit.hops.propagation import FIELDS, TRACEPARENT, Propagator, inbound
from otel_kit.hops.wire import encode_name

_HEADER_LENGTH: Final = 4096
_ATTEMPTS: Final = 20
_KEPT: Final = (*(names.ORIGIN + field for field in FIELDS), names.ORIGIN_DESTINATION)


class Attempt(NamedTuple):
    """One failed attempt to handle a message."""

    at: float
    """Seconds since the epoch."""
    service: str
    error_class: str

    def __str__(self) -> str:
        return f"{self.at:.3f}:{encode_name(self.service)}:{self.error_class}"


def first_life(carrier: Carrier | None, propagator: Propagator) -> Link | None:
    """A link to where a message was first sent, None if it was no dead letter.  Never raises."""
    if carrier is None or not carrier.get(_KEPT[0]):
        return None
    headers = {field: carrier.get(names.ORIGIN + field, "") for field in FIELDS}
    parent = inbound(propagator.extract(headers, Context())).parent
    if parent is None:
        return None
    attempts = carrier.get(names.ATTEMPTS, "")[:_HEADER_LENGTH].split(",")[:_ATTEMPTS]
    return Link(parent, {names.SPAN_REDRIVEN: len([each for each in attempts if each])})


def attempts_of(link: Link) -> int:
    """How many attempts had failed before, as `first_life` found."""
    found = (link.attributes or {}).get(names.SPAN_REDRIVEN, 0)
    return found if isinstance(found, int) else 0


def headers(
    carrier: Carrier, destination: str, handled_in: SpanContext, attempts: Sequence[Attempt]
) -> dict[str, str]:
    """The headers to add to a dead letter; `handled_in` stands in for a message without context."""
    kept = {name: carrier[name] for name in _KEPT if name in carrier}
    if not kept:
        kept = {names.ORIGIN + field: carrier[field] for field in FIELDS if field in carrier}
        if TRACEPARENT not in carrier and handled_in.is_valid:
            kept[names.ORIGIN + TRACEPARENT] = _traceparent(handled_in)
        kept[names.ORIGIN_DESTINATION] = destination
    earlier = [each for each in carrier.get(names.ATTEMPTS, "").split(",") if each]
    history = [*earlier, *map(str, attempts)][-_ATTEMPTS:]
    kept[names.ATTEMPTS] = ",".join(history)
    return {
        name: value
        for name, value in kept.items()
        if len(value) <= _HEADER_LENGTH and value.isascii()
    }


def _traceparent(span: SpanContext) -> str:
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
