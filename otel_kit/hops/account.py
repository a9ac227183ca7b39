"""What is known of a hop by its end, and what is made of it: measurements, and the span's end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind

from otel_kit import names
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops import origin, propagation
from otel_kit.hops.attempts import tell_attempt
from otel_kit.hops.edges import SIDES, Conventional, Edge, Wait
from otel_kit.hops.failures import mark_failed
from otel_kit.hops.hop import NO_CONVENTION, Hop, Outcome
from otel_kit.hops.propagation import MISSING, Inbound

if TYPE_CHECKING:
    from otel_kit.hops.runtime import Runtime

INBOUND = (SpanKind.SERVER, SpanKind.CONSUMER)
OUTBOUND = (SpanKind.CLIENT, SpanKind.PRODUCER)
_OF_A_REQUEST = (
    ErrorClass.BUSINESS,
    ErrorClass.CANCELLED,
    ErrorClass.CLIENT_ERROR,
    ErrorClass.SERIALIZATION,
)
_GIVEN_UP = (ErrorClass.TIMEOUT, ErrorClass.CANCELLED)
"""The caller waits no more; the server may well be at work."""


class Sender(NamedTuple):
    """Who sent a request or a message: what its headers said, its bounded name, the message."""

    said: Inbound
    client: str
    part: Hop


@dataclass(slots=True)
class Account:
    """Filled in from the begin of a hop to its end."""

    hop: Hop
    kind: SpanKind
    operation: str = ""
    performed: str | None = None
    """Which of several operations behind a route; empty if it was not one only."""
    server: str = ""
    senders: list[Sender] = field(default_factory=list)
    """Of an inbound hop: one, or one for each message of a batch."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Those of the span that are not written yet."""
    begun_with: Mapping[str, Any] = field(default_factory=dict)
    """Those that the span began with."""
    status: Any = None
    """The transport's own: an HTTP code, a gRPC status name."""
    description: str | None = None
    told: BaseException | None = None
    """An error that the answer tells, whatever the status says."""
    answered: bool = False
    """The server said who it is, so it counts the request too."""
    began_at: float = 0.0
    """Seconds since the epoch; dwell ends here, whatever the clock does while handling."""

    def __post_init__(self) -> None:
        self.operation = self.hop.operation

    @property
    def is_message(self) -> bool:
        """Whether it is the handling of a message, which `process()` may go on with."""
        return self.kind is SpanKind.CONSUMER or (
            self.hop.request and self.kind is not SpanKind.CLIENT
        )

    def serves(self) -> None:
        """It is a message whose sender waits for the answer, as its headers say."""
        if self.kind is SpanKind.CONSUMER:
            self.kind = SpanKind.SERVER
            self.hop.request = True

    def begin(self, saga: Mapping[str, str]) -> Mapping[str, Any]:
        """What the span begins with; `saga` has the attributes of its saga."""
        self.begun_with = {**self.hop.attributes, **self.attributes, **saga}
        self.attributes = {}
        return self.begun_with

    @property
    def named(self) -> str:
        """Name of the span, and the `operation` label."""
        return self.performed or self.operation

    def perform(self, operation: str, attributes: Mapping[str, Any]) -> None:
        """Take the name of an operation, or give back that of another one."""
        if self.performed in (None, operation):
            self.performed = operation
            self.attributes.update(attributes)
            return
        self.performed = ""
        for name in attributes:
            self.attributes.pop(name, None)

    # -- who sent it --------------------------------------------------------------------------

    def add_sender(self, runtime: "Runtime", said: Inbound, part: Hop) -> None:
        """Name the sender of `part`, on the span too."""
        client = runtime.peers.client(part.sender or said.client)
        if client != names.UNKNOWN:
            self.attributes.setdefault(names.SPAN_CLIENT, client)
            self.attributes.setdefault(names.PEER_NAME, client)
        self.senders.append(Sender(said, client, part))

    def add_senders(self, runtime: "Runtime", links: list[Link]) -> None:
        """Link each message of a batch; those that a loop handed out are counted already."""
        for part in self.hop.parts:
            said = MISSING
            if part.carrier is not None:
                said = propagation.inbound(runtime.propagator.extract(part.carrier, Context()))
            if said.parent is not None:
                links.append(Link(said.parent))
            if runtime.handed_out.find(part) is None:
                self.add_sender(runtime, said, part)

    def add_first_lives(self, runtime: "Runtime", links: list[Link]) -> None:
        """Link messages that were dead letters to where they were first sent."""
        for part in self.hop.parts or (self.hop,):
            found = origin.first_life(part.carrier, runtime.propagator)
            if found is not None:
                links.append(found)
                self.attributes.setdefault(names.SPAN_REDRIVEN, origin.attempts_of(found))

    def tried(self, ambient: Context) -> None:
        """One more request goes out for it: what an earlier one was answered counts no more."""
        self.status = self.description = None
        tell_attempt(self.server, ambient)

    # -- how it ended -------------------------------------------------------------------------

    def outcome(self, error: BaseException | None) -> Outcome:
        """How the hop ended, by the transport's status and the exception, if any."""
        outcome = Outcome()
        if self.status is not None:
            outcome = self.hop.convention.outcome(self.status, self.kind)
        if error is None:
            return outcome
        default = ErrorClass.UNKNOWN if self.kind in OUTBOUND else ErrorClass.SERVER_ERROR
        default = outcome.error_class or default
        error_class = classify(error, default)
        if self.kind is SpanKind.SERVER and error_class not in _OF_A_REQUEST:
            error_class = default  # to the caller, what failed further down is the server's failure
        if error is self.told and error_class is ErrorClass.CLIENT_ERROR:
            return outcome._replace(error_class=error_class)  # as with a status that says so
        return outcome._replace(
            error_class=error_class,
            error_type=outcome.error_type or _type_name(error),
            failed=error_class is not ErrorClass.CANCELLED,
        )

    def record(
        self, runtime: "Runtime", seconds: float, outcome: Outcome, context: Context
    ) -> None:
        """Measure the hop under our names and the conventions'."""
        if self.kind is SpanKind.INTERNAL:  # the loop's hop was counted
            return
        edges, side, messages = runtime.edges, SIDES[self.kind], len(self.hop.parts) or 1
        said = self._conventional(side, outcome)
        if self.kind in OUTBOUND:
            edges.hop(seconds, self._outbound(runtime, side, outcome), said, messages, context)
            tell_attempt(self.server, context)
            return
        for sender in self.senders:  # each counts for its own edge, and took as long as the batch
            if self._counted(runtime, sender):
                continue
            edges.hop(seconds, self._inbound(sender, side, outcome), said, messages, context)
            said = None  # once a batch
            self._record_wait(runtime, sender, context)
        if said is not None:
            edges.hop(seconds, None, said, messages, context)

    def write(self, span: Span, outcome: Outcome, error: BaseException | None) -> None:
        """Write the outcome onto the span."""
        if not span.is_recording():
            return
        self._add_outcome(outcome)
        span.set_attributes(self.attributes)
        if self.named != self.hop.operation:
            span.update_name(self.named)
        if outcome.failed:
            mark_failed(span, error, self.description)

    def _add_outcome(self, outcome: Outcome) -> None:
        if self.kind in OUTBOUND:
            self.attributes[names.PEER_NAME] = self.server
        self.attributes.update(outcome.attributes)
        if outcome.error_type:
            self.attributes[names.ERROR_TYPE] = outcome.error_type
        if outcome.error_class:
            self.attributes[names.SPAN_ERROR_CLASS] = outcome.error_class.value

    # -- its measurements ---------------------------------------------------------------------

    def _outbound(self, runtime: "Runtime", side: str, outcome: Outcome) -> Edge:
        return Edge(
            runtime.service,
            self.server,
            self.hop.system,
            side,
            self.named,
            outcome.error_class and outcome.error_class.value,
            self._alone(runtime, outcome),
        )

    def _alone(self, runtime: "Runtime", outcome: Outcome) -> bool:
        """Whether nobody at the other side counts this outbound hop."""
        if self.kind is SpanKind.PRODUCER:
            return outcome.error_class is not None
        address = self.hop.peer or self.hop.destination
        left_to_server = outcome.error_class in _GIVEN_UP and runtime.peers.answers(address)
        return not (self.answered or left_to_server)

    def _inbound(self, sender: Sender, side: str, outcome: Outcome) -> Edge:
        said, client, part = sender
        return Edge(
            client,
            self.server,
            self.hop.system,
            side,
            self.named if part is self.hop else part.operation,
            outcome.error_class and outcome.error_class.value,
            False,
            said.result,
            part.destination,
        )

    def _counted(self, runtime: "Runtime", sender: Sender) -> bool:
        """Whether the bridge has counted this message."""
        consumed = self.kind is SpanKind.CONSUMER
        return consumed and runtime.handed_out.counted(sender.said.parent)

    def _record_wait(self, runtime: "Runtime", sender: Sender, context: Context) -> None:
        said, client, part = sender
        sent_at = part.sent_at if said.sent_at is None else said.sent_at
        if self.kind is not SpanKind.CONSUMER or sent_at is None or part.kept:
            return
        if part.due_at is not None:  # whoever was a moment too early has not waited at all
            sent_at = max(sent_at, min(part.due_at, self.began_at))
        seconds = self.began_at - sent_at
        wait = Wait(client, self.server, part.system, part.destination, part.group, seconds < 0)
        runtime.edges.waited(max(0.0, seconds), wait, context)
        self.attributes.setdefault(names.SPAN_QUEUE_DURATION, max(0.0, seconds))

    def _conventional(self, side: str, outcome: Outcome) -> Conventional | None:
        convention = self.hop.convention
        if convention is NO_CONVENTION:
            return None
        known = {**self.begun_with, **self.attributes, **outcome.attributes}
        values = tuple(map(known.get, convention.labels))
        return Conventional(convention, side, values, outcome.error_type)


def _type_name(error: BaseException) -> str:
    kind = type(error)
    prefix = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return prefix + kind.__qualname__
