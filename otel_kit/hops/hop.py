"""`Hop`: one crossing of a service boundary, seen from one side, as plain data."""

import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from opentelemetry.trace import Link, SpanKind
from opentelemetry.util.types import AttributeValue

from otel_kit.errors import ErrorClass

Attributes = Mapping[str, AttributeValue]
Carrier = MutableMapping[str, str]
"""Headers of any shape as strings by lower-case name; `carriers.py` has the views."""


class Outcome(NamedTuple):
    """How a hop ended, in the words of a transport."""

    attributes: Attributes = MappingProxyType({})
    """What the outcome adds to the span, such as the response's status code."""
    error_class: ErrorClass | None = None
    error_type: str | None = None
    """`error.type`: absent on success, the same on span and metric."""
    failed: bool = False
    """Whether the span's status is ERROR; a client's mistake is none of the server's errors."""


def _no_status(status: Any, kind: SpanKind) -> Outcome:
    return Outcome()


@dataclass(frozen=True, slots=True, eq=False)  # hashed with each hop: by its identity
class Convention:
    """What OpenTelemetry's semantic conventions say of a family of transports.

    `durations` has the duration metric (s) per span kind, `counts` the message counter, `labels`
    the span attributes that those metrics repeat, `outcome` reads a transport's own status.
    """

    durations: Mapping[SpanKind, str] = field(default_factory=dict)
    counts: Mapping[SpanKind, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    outcome: Callable[[Any, SpanKind], Outcome] = _no_status


NO_CONVENTION = Convention()


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: it would take thrice the time to make
class Hop:
    """What a library's arguments say about a hop.  Nothing here is done, only described.

    `operation` is both the span's name and the `operation` label, so it must be bounded: a route,
    a method, a topic; never an id or a raw path.  `destination` is where it goes: an address, a
    service, a topic.  `sent_at` is in seconds since the epoch: of an inbound hop from the broker,
    used only when the sender did not say when it sent; of an outbound one what to say.
    """

    system: str
    """The `transport` label: http, grpc, kafka, …"""
    operation: str
    destination: str = ""
    carrier: Carrier | None = None
    peer: str | None = None
    """Address (`host` or `host:port`) or name of the other side, if the library knows it."""
    attributes: Attributes = field(default_factory=dict)
    sent_at: float | None = None
    due_at: float | None = None
    """When a message that was asked to wait was to be handled: the dwell begins then."""
    group: str = ""
    """Consumer group, for messages."""
    links: Sequence[Link] = ()
    sender: str | None = None
    """Who is known to have sent an inbound hop, whatever its headers say."""
    trusted: bool = True
    """Whether the headers of an inbound hop may be continued; else they are linked."""
    parts: Sequence["Hop"] = ()
    """The messages of a batch, each with its own carrier; they are linked, not parents."""
    convention: Convention = NO_CONVENTION
    request: bool = False
    """A message whose sender waits for the answer: its CLIENT; who handles it is its SERVER."""
    kept: bool = False
    """A message that the broker gives to whoever comes, as the latest: its age is no wait."""
    delivery: object = field(default=None, compare=False, repr=False)
    """An object that nothing but this delivery of a message has: the library's record, say."""

    def same_as(self, other: "Hop") -> bool:
        """Whether both describe one crossing, seen by two functions of a library."""
        if self.delivery is not None or other.delivery is not None:
            return self.delivery is other.delivery
        return self.operation == other.operation and self.attributes == other.attributes


def sent_ns(hop: Hop, kind: SpanKind) -> int | None:
    """When an outbound hop says that it was sent: nanoseconds since the epoch."""
    if hop.sent_at is not None:
        return int(hop.sent_at * 1e9)
    return time.time_ns() if kind is SpanKind.PRODUCER else None
