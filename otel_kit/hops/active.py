"""A hop under way: its span, its place in the context, its clock, its end."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,  # the key every OpenTelemetry exporter sets
    Context,
    attach,
    get_current,
    get_value,
    set_value,
)
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation import set_span_in_context

from otel_kit import names
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops import propagation, replies
from otel_kit.hops.edges import SIDES
from otel_kit.hops.hop import Attributes, Hop, Outcome
from otel_kit.hops.keys import HOP
from otel_kit.hops.propagation import MISSING, Inbound

if TYPE_CHECKING:
    from otel_kit.hops.runtime import Runtime

_INBOUND = (SpanKind.SERVER, SpanKind.CONSUMER)
_OUTBOUND = (SpanKind.CLIENT, SpanKind.PRODUCER)


def is_own(context: Context | None = None) -> bool:
    """Whether the span that is being started in `context` is one of the kit's own hops."""
    innermost = get_value(HOP, context)
    return isinstance(innermost, ActiveHop) and innermost.starting


def _under_way() -> Iterator["ActiveHop"]:
    """The hops that the current context is within, innermost first."""
    hop = get_value(HOP)
    while isinstance(hop, ActiveHop):
        yield hop
        hop = get_value(HOP, hop._previous)


class ActiveHop:
    """One hop under way.  A plain `with`, also around `await`; leaving it ends the hop.

    Whatever goes wrong in here is ours to lose: no method raises (but see `Settings.strict`), and
    a hop that could not begin, or that another one already stands for, does nothing.
    """

    __slots__ = (
        "_attributes", "_began", "_context", "_deferred", "_description", "_ended", "_inside",
        "_operation", "_outer", "_previous", "_runtime", "_said", "_senders", "_server", "_status",
        "_twin", "hop", "kind", "span",
    )  # fmt: skip

    def __init__(
        self,
        runtime: "Runtime | None",
        kind: SpanKind,
        hop: Hop | None,
        twin: "ActiveHop | None" = None,
    ) -> None:
        """`twin` is the hop that a consumer's loop made of the same message."""
        self._runtime = runtime if hop is not None else None
        self.kind = kind
        self.hop = hop if hop is not None else Hop(system="", operation="")
        self.span: Span | None = None
        self._outer: ActiveHop | None = None
        self._twin = twin
        self._deferred = self._ended = False
        self._status: Any = None
        self._description: str | None = None
        self._attributes: dict[str, Any] = {}
        self._operation = self.hop.operation
        self._context: Context
        self._previous: Context

    # -- the life of a hop ---------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._runtime is not None:
            try:
                if self._begin(self._runtime):
                    self._previous = get_current()
                    attach(self._context)
            except Exception as error:  # the guard: telemetry never harms the application
                self.span = None
                self._runtime.broke("begin " + self._operation, error)
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self.leave()
        if error is not None or not self._deferred:
            self.end(error)

    def leave(self) -> None:
        """Put back the context that was before, in whichever task or thread this is.

        Hops of two consumers need not end in the reverse order of their begin: one that is still
        under way keeps its place, and will put back what was before both.
        """
        above: ActiveHop | None = None
        for hop in _under_way():
            if hop is self:
                break
            above = hop
        else:
            return
        if above is None:
            attach(self._previous)
        else:
            above._previous = self._previous

    def pause(self) -> None:
        """Put the context back until `resume`: between two steps of a generator, say."""
        if self in _under_way():
            self._inside = get_current()
            attach(self._previous)

    def resume(self) -> None:
        """Make current again what was current in the hop when it was paused, or its span."""
        if self.span is not None and self not in _under_way():
            self._previous = get_current()
            attach(self._inside)

    def defer(self) -> Self:
        """The end comes later, by `end()`, from any thread: an acknowledgement, a last chunk."""
        self._deferred = True
        return self

    def end(self, error: BaseException | None = None) -> None:
        """End the hop, once; `error` is what the application saw or is about to see."""
        if self._outer is not None:
            self._outer.leave()
            self._outer.end(error)
            return
        if self.span is None or self._ended or self._runtime is None:
            return
        self._ended = True
        seconds = time.perf_counter() - self._began
        try:
            outcome = self._outcome(error)
            self._record(self._runtime, seconds, outcome)
            self._finish(self.span, outcome, error)
        except Exception as ours:
            self._runtime.broke("end " + self._operation, ours)

    # -- what an integration learns on the way -----------------------------------------------

    def status(self, status: Any, description: str | None = None) -> None:
        """The transport's own status: an HTTP code, a gRPC status name; what it says in words."""
        self._status = status
        self._description = description

    def routed(self, operation: str, attributes: Attributes) -> None:
        """The route is known only after routing: rename the hop, add what it says."""
        self._operation = operation
        self._attributes.update(attributes)

    def note(self, name: str, value: Any) -> None:
        """Add an attribute to the span."""
        self._attributes[name] = value

    def reply(self) -> str | None:
        """SERVER: the `Server-Timing` entry to answer with, None if the caller asks for none."""
        if self.span is None or self._runtime is None or not self._said.said_hello:
            return None
        return replies.write(self._runtime.service, time.perf_counter() - self._began)

    def answered(self, header: str | None) -> None:
        """CLIENT: the reply's `Server-Timing`, which names the server."""
        reply = replies.read(header) if self.span is not None else None
        if reply is None or self._runtime is None:
            return
        self._server = self._runtime.peers.bounded(reply.service)
        if address := self.hop.peer or self.hop.destination:
            self._runtime.peers.learn(address, self._server)
        self.note(names.SPAN_SERVER_DURATION, reply.seconds)

    @property
    def starting(self) -> bool:
        """Whether the kit is just making this hop's span; the sampler may then drop it."""
        return self.span is None

    @property
    def ended(self) -> bool:
        return self._ended

    # -- beginning ------------------------------------------------------------------------------

    def _begin(self, runtime: "Runtime") -> bool:
        ambient = get_current()
        if get_value(_SUPPRESS_INSTRUMENTATION_KEY, ambient) or self._stands_already(ambient):
            return False
        if self._twin is not None and not self._twin.ended:
            return self._join(self._twin)
        self._said, self._server = MISSING, ""
        links = list(self.hop.links)
        if self._twin is not None:  # handled in a task or thread of its own, or once more
            self.kind, parent = SpanKind.INTERNAL, self._twin._context
        elif self.kind in _INBOUND:
            parent = self._arrive(runtime, ambient, links)
        else:
            parent = self._depart(runtime, ambient, links)
        context = set_value(HOP, self, parent)
        attributes = {**self.hop.attributes, **self._attributes}
        self.span = runtime.tracer.start_span(
            self._operation, context, self.kind, attributes, links or None
        )
        self._context = self._inside = set_span_in_context(self.span, context)
        if self.kind in _OUTBOUND and self.hop.carrier is not None:
            self._inject(runtime, self.hop.carrier)
        self._began = time.perf_counter()
        return True

    def _join(self, twin: "ActiveHop") -> bool:
        """Go on with a message's hop in another task or thread than took it from the consumer."""
        self._outer, self.span, self._attributes = twin, twin.span, twin._attributes
        self._context = set_value(HOP, self, twin._context)
        return True

    def _stands_already(self, ambient: Context) -> bool:
        """Libraries call themselves: one crossing is one hop, whichever function came first."""
        outer = get_value(HOP, ambient)
        if not isinstance(outer, ActiveHop) or outer.kind is not self.kind or outer.span is None:
            return False
        if self.kind in _INBOUND:
            same = outer.hop.same_as(self.hop) and not outer.ended
            if same and self.kind is SpanKind.CONSUMER:
                self._outer, self.span, self._attributes = outer, outer.span, outer._attributes
            return same
        carrier = self.hop.carrier
        own = f"-{outer.span.get_span_context().span_id:016x}-"
        return carrier is not None and own in carrier.get(propagation.TRACEPARENT, "")

    def _arrive(self, runtime: "Runtime", ambient: Context, links: list[Link]) -> Context:
        hop = self.hop
        context = ambient
        if hop.carrier is not None:
            context = runtime.propagator.extract(hop.carrier, ambient)
            self._said = propagation.inbound(context)
        self._server = runtime.service
        senders = [self._sender(runtime, part, links) for part in hop.parts]
        self._senders = [each for each in senders if runtime.handed_out.find(each[2]) is None]
        if not hop.parts:
            self._senders = [(self._said, self._client(runtime, self._said), hop)]
            surrounding = get_current_span(ambient).get_span_context()
            if self.kind is SpanKind.CONSUMER and self._said.parent and surrounding.is_valid:
                links.append(Link(surrounding))
        self._attributes[names.SPAN_PROPAGATION] = self._said.result
        return context

    def _sender(self, runtime: "Runtime", part: Hop, links: list[Link]) -> tuple[Inbound, str, Hop]:
        said = MISSING
        if part.carrier is not None:
            said = propagation.inbound(runtime.propagator.extract(part.carrier, Context()))
        if said.parent is not None:
            links.append(Link(said.parent))
        return said, self._client(runtime, said), part

    def _client(self, runtime: "Runtime", said: Inbound) -> str:
        client = runtime.peers.bounded(said.client)
        if client != names.UNKNOWN:
            self._attributes.setdefault(names.SPAN_CLIENT, client)
            self._attributes.setdefault(names.PEER_NAME, client)
        return client

    def _depart(self, runtime: "Runtime", ambient: Context, links: list[Link]) -> Context:
        hop = self.hop
        default = hop.system if self.kind is SpanKind.PRODUCER else hop.destination
        self._server = runtime.peers.name_of(hop.peer or hop.destination, default or names.UNKNOWN)
        if self.kind is SpanKind.PRODUCER and hop.carrier is not None:
            created = propagation.inbound(runtime.propagator.extract(hop.carrier, Context()))
            if created.parent is not None:  # a forwarded message: keep where it came from
                links.append(Link(created.parent))
        return ambient

    def _inject(self, runtime: "Runtime", carrier: Any) -> None:
        for field in propagation.FIELDS:
            carrier.pop(field, None)
        sent_ns = time.time_ns() if self.kind is SpanKind.PRODUCER else None
        runtime.propagator.inject(carrier, self._context, sent_ns=sent_ns)

    # -- ending ----------------------------------------------------------------------------------

    def _outcome(self, error: BaseException | None) -> Outcome:
        outcome = Outcome()
        if self._status is not None:
            outcome = self.hop.convention.outcome(self._status, self.kind)
        if error is None:
            return outcome
        default = ErrorClass.UNKNOWN if self.kind in _OUTBOUND else ErrorClass.SERVER_ERROR
        error_class = classify(error, outcome.error_class or default)
        error_type = outcome.error_type or _type_name(error)
        failed = error_class is not ErrorClass.CANCELLED
        return outcome._replace(error_class=error_class, error_type=error_type, failed=failed)

    def _record(self, runtime: "Runtime", seconds: float, outcome: Outcome) -> None:
        hop, edges, kind = self.hop, runtime.edges, self.kind
        if kind is SpanKind.INTERNAL:  # the loop's hop was counted
            return
        labels: dict[str, Any] = {
            names.CLIENT: runtime.service,
            names.SERVER: self._server,
            names.TRANSPORT: hop.system,
            names.SIDE: SIDES[kind],
            names.OPERATION: self._operation,
        }
        if outcome.error_class:
            labels[names.ERROR_CLASS] = outcome.error_class.value
        if kind in _INBOUND:
            self._record_senders(runtime, seconds, labels)
        else:
            edges.hop(seconds, labels, self._context)
        convention = hop.convention
        edges.conventional(
            convention.durations.get(kind),
            convention.counts.get(kind),
            seconds,
            len(hop.parts) or 1,
            self._conventional_labels(outcome),
            self._context,
        )

    def _record_senders(self, runtime: "Runtime", seconds: float, labels: dict[str, Any]) -> None:
        """Each message of a batch counts for its own edge, and took as long as the batch."""
        began = time.time() - seconds
        for said, client, part in self._senders:
            if self.kind is SpanKind.CONSUMER and runtime.handed_out.counted(said.parent):
                continue
            edge = {**labels, names.CLIENT: client}
            if part is not self.hop:
                edge[names.OPERATION] = part.operation
            runtime.edges.hop(seconds, edge, self._context)
            runtime.edges.arrived(said.result, runtime.service, part.system, part.destination)
            sent_at = said.sent_at or part.sent_at
            if self.kind is SpanKind.CONSUMER and sent_at is not None:
                waited = runtime.edges.waited(
                    began - sent_at, self._queue_labels(client, part), self._context
                )
                self._attributes.setdefault(names.SPAN_QUEUE_DURATION, waited)

    def _queue_labels(self, client: str, part: Hop) -> dict[str, Any]:
        return {
            names.CLIENT: client,
            names.SERVER: self._server,
            names.TRANSPORT: part.system,
            names.DESTINATION: part.destination,
            names.GROUP: part.group,
        }

    def _conventional_labels(self, outcome: Outcome) -> dict[str, Any]:
        known = {**self.hop.attributes, **self._attributes, **outcome.attributes}
        labels = {key: known[key] for key in self.hop.convention.labels if key in known}
        if outcome.error_type:
            labels[names.ERROR_TYPE] = outcome.error_type
        return labels

    def _finish(self, span: Span, outcome: Outcome, error: BaseException | None) -> None:
        if span.is_recording():
            if self.kind in _OUTBOUND:
                self._attributes[names.PEER_NAME] = self._server
            self._attributes.update(outcome.attributes)
            if outcome.error_type:
                self._attributes[names.ERROR_TYPE] = outcome.error_type
            if outcome.error_class:
                self._attributes[names.SPAN_ERROR_CLASS] = outcome.error_class.value
            span.set_attributes(self._attributes)
            if self._operation != self.hop.operation:
                span.update_name(self._operation)
            if outcome.failed:
                if error is not None:
                    span.record_exception(error)
                description = str(error) if error else self._description
                span.set_status(Status(StatusCode.ERROR, description))
        span.end()


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
