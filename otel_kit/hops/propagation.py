"""W3C headers in and out, with our `tracestate` member.

The member is `otelkit=c:<caller>;p:<span id>;t:<sent>;r:1`: the caller's service name
(percent-encoded, at most 64 characters), the id of the span that wrote it, for messages the time of
sending in nanoseconds since the epoch, hexadecimal, and `r` for a message whose sender waits for
the answer.  It is the leftmost member and the others are kept.  A receiver believes it only if `p`
is the parent id of `traceparent`: otherwise someone who does not know the member stood between, and
the caller is unknown.
"""

import re
import time
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from typing import Literal, NamedTuple

from opentelemetry.context import Context, get_current
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    get_current_span,
)

from otel_kit.hops import baggage
from otel_kit.hops.carriers import Headers, Mapped
from otel_kit.hops.keys import BAGGAGE as BAGGAGE_KEY
from otel_kit.hops.keys import INBOUND, SPAN
from otel_kit.hops.wire import decode_name, encode_name
from otel_kit.names import SAGA_ID, SAGA_NAME, TRACESTATE_KEY, UNKNOWN

TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", baggage.HEADER
FIELDS = (TRACEPARENT, TRACESTATE, BAGGAGE)
W3C = {"tracecontext": (TRACEPARENT, TRACESTATE), "baggage": (BAGGAGE,)}
"""The W3C propagators, by their names in OTEL_PROPAGATORS, and their headers."""
Result = Literal["continued", "missing", "invalid", "stale", "untrusted"]

_OWN_KEYS = (SAGA_ID, SAGA_NAME)
_HEADER_LENGTH = 4096
_LONGEST_WAIT = 7 * 86_400
"""Seconds.  A time of sending before that is nobody's clock, and no message's wait."""
_TRACEPARENT = re.compile(
    r"[ \t]*(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
    r"(-[^,]*)?[ \t]*"
)
_MEMBERS = 32
_FLAGS = {f"{flags:02x}": TraceFlags(flags) for flags in range(256)}


class Inbound(NamedTuple):
    """What the headers of an inbound hop said."""

    result: Result
    parent: SpanContext | None = None
    client: str = UNKNOWN
    """The service that called or sent."""
    sent_at: float | None = None
    """When it sent, seconds since the epoch; None too if that is said to be over a week ago."""
    said_hello: bool = False
    """The caller knows our member, so it may be answered by `Server-Timing`."""
    awaited: bool = False
    """It sent a message, and waits for the answer."""


MISSING = Inbound("missing")
INVALID = Inbound("invalid")
UNTRUSTED = Inbound("untrusted")


def inbound(context: Context) -> Inbound:
    """What the headers said from which `context`, or one it was derived from, was extracted."""
    found = context.get(INBOUND)
    return found[0] if isinstance(found, tuple) else MISSING


def arrival(context: Context) -> Inbound | None:
    """What the headers said that a span started in `context` continues.

    None if there were none, or if the span is not the first since they were read: what a handler
    does has its hop's context too.
    """
    found = context.get(INBOUND)
    if not isinstance(found, tuple) or found[1] is not get_current_span(context):
        return None
    said: Inbound = found[0]
    return said


def linked(stranger: SpanContext | None, ambient: Context, links: list[Link]) -> Context:
    """`ambient` without what a stranger's headers said; what they named is linked.

    The request that brought them may be served in the stranger's trace and baggage already: then
    that is linked too, and a trace of one's own begins.
    """
    values = {**ambient, INBOUND: (UNTRUSTED, INVALID_SPAN)}
    values.pop(BAGGAGE_KEY, None)
    if stranger is not None:
        links.append(Link(stranger))
        surrounding = get_current_span(ambient).get_span_context()
        if surrounding.trace_id == stranger.trace_id:
            links.append(Link(surrounding))
            values.pop(SPAN)
    return Context(values)


class Propagator(TextMapPropagator):
    """W3C trace context with our member, W3C baggage, and any others the user configured.

    `w3c` has the names of those of `W3C` that are wanted; `others` see the carrier after them.
    Used by the four verbs, and as the global propagator, so that hops which other
    instrumentations make carry the member too.
    """

    def __init__(
        self, service: str, others: Sequence[TextMapPropagator] = (), w3c: Iterable[str] = W3C
    ) -> None:
        self._caller = encode_name(service)
        self._fields = frozenset(field for name in w3c for field in W3C[name])
        self._others = others
        self._all_fields = self._fields.union(*(other.fields for other in others))

    @property
    def fields(self) -> set[str]:
        return set(self._all_fields)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
        *,
        sent_ns: int | None = None,
        awaited: bool = False,
    ) -> None:
        """Write the current span, our member and the baggage.

        `sent_ns` (nanoseconds since the epoch) goes out with messages; where another
        instrumentation makes a PRODUCER span, it is the start of that span.  `awaited` says of a
        message that its answer is waited for.
        """
        context = get_current() if context is None else context
        span = get_current_span(context)
        span_context = span.get_span_context()
        if span_context.is_valid and TRACEPARENT in self._fields:
            parent = f"00-{span_context.trace_id:032x}-{span_context.span_id:016x}"
            setter.set(carrier, TRACEPARENT, f"{parent}-{span_context.trace_flags:02x}")
            setter.set(carrier, TRACESTATE, self._members(span, span_context, sent_ns, awaited))
        if BAGGAGE in self._fields and (members := baggage.written(context)):
            setter.set(carrier, BAGGAGE, members)
        for other in self._others:
            other.inject(carrier, context, setter)

    def renew(
        self,
        carrier: MutableMapping[str, str],
        context: Context,
        sent_ns: int | None,
        awaited: bool = False,
    ) -> None:
        """Inject into headers that may have been sent, or written by others, before."""
        written: dict[str, str] = {}
        self.inject(written, context, sent_ns=sent_ns, awaited=awaited)
        if BAGGAGE in self._fields and BAGGAGE in carrier:
            written[BAGGAGE] = merged(written.get(BAGGAGE, ""), carrier[BAGGAGE])
        for field in self._all_fields:
            if value := written.get(field):
                carrier[field] = value
            elif field in carrier:
                del carrier[field]

    def wrote(self, carrier: Mapping[str, str], span: SpanContext) -> bool:
        """Whether headers say that this span sent them."""
        own = f"{span.span_id:016x}"
        found = _headers(carrier, default_getter, self._all_fields)
        return any(own in value for value in found.values())

    def _members(
        self, span: Span, span_context: SpanContext, sent_ns: int | None, awaited: bool
    ) -> str:
        if sent_ns is None and getattr(span, "kind", None) is SpanKind.PRODUCER:
            sent_ns = getattr(span, "start_time", None)
        ours = f"{TRACESTATE_KEY}=c:{self._caller};p:{span_context.span_id:016x}"
        if sent_ns is not None:
            ours += f";t:{sent_ns:x}"
        if awaited:
            ours += ";r:1"
        others = [
            f"{key}={value}"
            for key, value in span_context.trace_state.items()
            if key != TRACESTATE_KEY
        ]
        return ",".join([ours, *others[: _MEMBERS - 1]])

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context that the carrier continues.  Never raises; bad headers count as invalid.

        Baggage belongs to the message: what the surrounding context had is left out.
        """
        values = {**(get_current() if context is None else context)}
        values.pop(BAGGAGE_KEY, None)
        try:
            headers = _headers(carrier, getter, self._fields)
            found = _read(headers)
            if BAGGAGE in headers and (members := baggage.read(headers[BAGGAGE])):
                values[BAGGAGE_KEY] = members
            for other in self._others:
                values = {**other.extract(carrier, Context(values), getter)}
        except Exception:  # untrusted input; anything may be in there
            found = INVALID
        if found.parent is not None:
            values[SPAN] = NonRecordingSpan(found.parent)
        elif (outer := get_current_span(Context(values)).get_span_context()).is_remote:
            found = Inbound("continued", outer)
        values[INBOUND] = found, values.get(SPAN, INVALID_SPAN)
        return Context(values)


def merged(ours: str, theirs: str) -> str:
    """One `baggage` of two: ours wins per key, and nobody else's speaks of a saga.

    What an application or another instrumentation has put there stays; the saga of a message that
    is forwarded is not that of the message that forwards it.
    """
    if not theirs:
        return ours
    foreign = {_key(member): member.strip() for member in theirs.split(",") if member.strip()}
    stale = foreign.keys() & {*_OWN_KEYS, *map(_key, ours.split(","))}
    if not stale and not ours:
        return theirs
    members = [ours, *(member for key, member in foreign.items() if key not in stale)]
    return ",".join(filter(None, members))


def _key(member: str) -> str:
    return member.partition("=")[0].strip()


def _headers(
    carrier: CarrierT, getter: Getter[CarrierT], wanted: Collection[str]
) -> Mapping[str, str]:
    """Those of a carrier that are wanted; what stands in several is one list."""
    if isinstance(carrier, (Headers, Mapped)):
        return carrier.some(wanted)
    found = ((name, getter.get(carrier, name)) for name in wanted)
    return {
        name: values[-1] if name == TRACEPARENT else ",".join(values)
        for name, values in found
        if values
    }


def _read(headers: Mapping[str, str]) -> Inbound:
    header = headers.get(TRACEPARENT)
    if not header:
        return MISSING
    match = _TRACEPARENT.fullmatch(header[:_HEADER_LENGTH])
    if match is None or (match[1] == "00" and match[5]):
        return INVALID
    member, trace_state = _tracestate(headers.get(TRACESTATE, ""))
    span_id = int(match[3], 16)
    parent = SpanContext(int(match[2], 16), span_id, True, _FLAGS[match[4]], trace_state)
    return _believed(member, parent, match[3]) if member else Inbound("continued", parent)


def _believed(member: str, parent: SpanContext, span_id: str) -> Inbound:
    parts = dict([part.split(":", 1) for part in member.split(";") if ":" in part])
    if parts.get("p") != span_id:
        return Inbound("stale", parent)
    try:
        sent_at = int(parts["t"][:16], 16) / 1e9 if "t" in parts else None
    except ValueError:  # not written by the kit; the trace goes on all the same
        return Inbound("continued", parent)
    if sent_at is not None and time.time() - sent_at > _LONGEST_WAIT:
        sent_at = None
    client = decode_name(parts.get("c", "")) or UNKNOWN
    return Inbound("continued", parent, client, sent_at, said_hello=True, awaited="r" in parts)


def _tracestate(joined: str) -> tuple[str | None, TraceState | None]:
    """Our member's value, and the state without it: it speaks of one hop only."""
    if not joined or len(joined) > _HEADER_LENGTH:
        return None, None
    ours, others, prefix = None, [], f"{TRACESTATE_KEY}="
    for member in joined.split(",")[:_MEMBERS]:
        stripped = member.strip()
        if stripped.startswith(prefix):
            ours = ours or stripped.removeprefix(prefix)
        elif stripped:
            others.append(stripped)
    return ours, TraceState.from_header([",".join(others)]) if others else None
