"""A hop under way: its span, its place in the context, its clock."""

import time
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Link, Span, SpanKind, get_current_span

from otel_kit import names
from otel_kit.hops import replies
from otel_kit.hops.account import INBOUND, OUTBOUND, Account
from otel_kit.hops.attempts import tell_attempt
from otel_kit.hops.hop import Attributes, Hop, sent_ns
from otel_kit.hops.keys import HOP, SPAN
from otel_kit.hops.nesting import Nested, suppressed, under_way
from otel_kit.hops.propagation import MISSING, UNTRUSTED, inbound, linked
from otel_kit.hops.stamp import saga_attributes

if TYPE_CHECKING:
    from otel_kit.hops.runtime import Runtime

_NO_CONTEXT = Context()
_NO_HOP = Hop(system="", operation="")


class ActiveHop(Nested):
    """One hop under way.  A plain `with`, also around `await`; leaving it ends the hop.

    Whatever goes wrong in here is ours to lose: no method raises (but see `Settings.strict`), and
    a hop that could not begin, or that another one already stands for, does nothing.
    """

    __slots__ = (
        "_account", "_aside", "_began", "_carries", "_context", "_deferred", "_outer", "_replied",
        "_rested", "_runtime", "_said", "_twin", "span", "taken_over",
    )  # fmt: skip

    def __init__(
        self,
        runtime: "Runtime | None",
        kind: SpanKind,
        hop: Hop | None,
        twin: "ActiveHop | Context | None" = None,
    ) -> None:
        """`twin` is the hop that a loop made of the same message; its context if it has ended."""
        super().__init__()
        self._runtime = runtime if hop is not None else None
        self._account = Account(hop if hop is not None else _NO_HOP, kind)
        self.span: Span | None = None
        self._outer: ActiveHop | None = None
        self._twin = twin
        self._aside = self._carries = self._deferred = self.taken_over = False
        self._replied: float | None = None
        self._rested: tuple[float, int | None] | None = None
        self._said = MISSING
        self._context: Context

    # -- the life of a hop ---------------------------------------------------------------

    def __enter__(self) -> Self:
        return self.begin(get_current())

    def begin(self, ambient: Context) -> Self:
        """As by `with`, in the context `ambient`."""
        if self._begun(ambient):
            self._previous = ambient
            if not self._aside:
                attach(self._context)
        return self

    def aside(self) -> Self:
        """Be current from `resume` to `pause` only, not by having begun."""
        self._aside = True
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self.leave()
        if error is not None or not self._deferred:
            self.end(error)

    def resume(self) -> None:
        """Make current again what was current in the hop when it was paused, or its span."""
        if self.span is not None and self not in under_way():
            self._enter(self._inside)

    def defer(self) -> Self:
        """The end comes later, by `end()`, from any thread: an acknowledgement, a last chunk."""
        self._deferred = True
        return self

    def rest(self) -> None:
        """Stop the clock: this is the end, unless `process()` takes the hop over before `end`."""
        self._rested = time.perf_counter(), time.time_ns()

    def end(self, error: BaseException | None = None) -> None:
        """End the hop, once; `error` is what the application saw or is about to see."""
        if self._outer is not None:
            self._outer.leave()
            self._outer.end(error)
            return
        if self.span is None or self._ended or self._runtime is None:
            return
        self._ended = True
        now, at = self._rested or (self._replied or time.perf_counter(), None)
        seconds = now - self._began
        try:
            self._forget_ended()
            try:
                error = error or self._account.told
                outcome = self._account.outcome(error)
                self._account.record(self._runtime, seconds, outcome, self._context)
                self._account.write(self.span, outcome, error)
            finally:
                self._account.told = None  # no cycle for the garbage collector
                self.span.end(at)
            if not self._account.is_message:
                self._context = self._inside = _NO_CONTEXT  # which refers to this hop: a cycle
            elif self._deferred:
                self._runtime.handed_out.ended(self, self._context)
        except Exception as ours:
            self._runtime.broke(f"end {self.hop.operation}", ours)

    # -- what an integration learns on the way -----------------------------------------------

    def status(self, status: Any, description: str | None = None) -> None:
        """The transport's own status: an HTTP code, a gRPC status name; what it says in words."""
        self._account.status = status
        self._account.description = description

    def routed(self, operation: str, attributes: Attributes) -> None:
        """The route is known only after routing: rename the hop, add what it says."""
        self._account.operation = operation
        self._account.attributes.update(attributes)

    def performs(self, operation: str, attributes: Attributes) -> None:
        """SERVER: one of several operations behind the route is asked for, which names the hop.

        If different ones are asked for at once, none does.
        """
        self._account.perform(operation, attributes)

    def tells(self, error: BaseException) -> None:
        """SERVER: an error that the answer tells, whatever the transport's status says."""
        self._account.told = self._account.told or error

    def note(self, name: str, value: Any) -> None:
        """Add an attribute to the span."""
        self._account.attributes[name] = value

    def reply(self) -> str | None:
        """SERVER: the `Server-Timing` entry to answer with, None if the caller asks for none."""
        if self.span is None or self._runtime is None or not self._said.said_hello:
            return None
        return replies.write(self._runtime.service, self.lasted())

    def lasted(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self._began

    def replied(self) -> None:
        """SERVER: the caller has the whole reply and waits no more: the measured time ends here."""
        self._replied = self._replied or time.perf_counter()

    def answered(self, header: str | None, address: str | None = None) -> None:
        """CLIENT: the reply's `Server-Timing`, which names the server.

        `address` is where the reply came from, if not from where the request went first.
        """
        reply = replies.read(header) if self.span is not None or self._carries else None
        if reply is None or self._runtime is None:
            return
        server = self._account.server = self._runtime.peers.server(reply.service)
        self._account.answered = True
        if address := address or self.hop.peer or self.hop.destination:
            self._runtime.peers.learn(address, server)
        self.note(names.SPAN_SERVER_DURATION, reply.seconds)

    @property
    def hop(self) -> Hop:
        """What was described."""
        return self._account.hop

    @property
    def kind(self) -> SpanKind:
        """The kind of the span."""
        return self._account.kind

    @property
    def ended(self) -> bool:
        """Whether it has, or the one that it stands for."""
        return self._ended if self._outer is None else self._outer.ended

    @property
    def starting(self) -> bool:
        """Whether the kit is just making this hop's span; the sampler may then drop it."""
        return self.span is None

    # -- beginning ------------------------------------------------------------------------------

    def _begun(self, ambient: Context) -> bool:
        if self._runtime is not None:
            try:
                return self._begin(self._runtime, ambient)
            except Exception as error:  # the guard: telemetry never harms the application
                self.span = None
                self._runtime.broke(f"begin {self.hop.operation}", error)
        return False

    def _begin(self, runtime: "Runtime", ambient: Context) -> bool:
        account, hop, twin = self._account, self.hop, self._twin
        if suppressed(ambient, self.kind, hop.system) or self._stands_already(runtime, ambient):
            return False
        if account.kind is SpanKind.CONSUMER and replies.answers(hop.carrier):
            return False  # its round trip is a hop already
        if isinstance(twin, ActiveHop) and not twin.ended:
            return self._join(twin)
        links = list(hop.links)
        if twin is not None:  # handled after the loop has moved on, or once more
            account.kind = SpanKind.INTERNAL
            parent = twin._context if isinstance(twin, ActiveHop) else twin
        elif account.kind in INBOUND:
            parent = self._arrive(runtime, ambient, links)
        else:
            parent = self._depart(runtime, ambient, links)
        context = Context({**parent, HOP: self})
        begun_with = account.begin(saga_attributes(parent))
        self.span = runtime.start_span(
            account.operation, context, account.kind, begun_with, links or None
        )
        self._context = self._inside = Context({**context, SPAN: self.span})
        if account.kind in OUTBOUND and hop.carrier is not None:
            sent = sent_ns(hop, account.kind)
            runtime.propagator.renew(hop.carrier, self._context, sent, hop.request)
        account.began_at, self._began = time.time(), time.perf_counter()
        return True

    def _join(self, twin: "ActiveHop") -> bool:
        """Go on with a message's hop in another task or thread than took it from the consumer."""
        self._take_over(twin)
        self._context = Context({**twin._context, HOP: self})
        return True

    def _take_over(self, other: "ActiveHop") -> None:
        """Stand for `other`: it ends with this one, whatever its loop does."""
        self._outer, self.span, self._account = other, other.span, other._account
        self._began, self._said = other._began, other._said
        other.taken_over, other._rested = True, None

    def _stands_already(self, runtime: "Runtime", ambient: Context) -> bool:
        """Libraries call themselves: one crossing is one hop, whichever function came first."""
        outer = ambient.get(HOP)
        if not isinstance(outer, ActiveHop) or outer.span is None:
            return False
        if outer.kind is not self.kind:
            return outer.hop.request and self._is_part_of(runtime, outer)
        if self.kind in INBOUND:
            same = outer.hop.same_as(self.hop) and not outer.ended
            if same and self._account.is_message:
                self._take_over(outer)
            return same
        carrier, around = self.hop.carrier, outer.hop.carrier
        span, wrote = outer.span.get_span_context(), runtime.propagator.wrote
        if carrier is not None and wrote(carrier, span):
            if outer.hop.system != self.hop.system:  # which learns what becomes of this request
                self._carries, self._account = True, outer._account
                self._account.tried(ambient)
            return True
        # Where no header can tell (OTEL_PROPAGATORS=none), a call of the same kind is the same.
        alike = carrier is not None and outer.hop.system == self.hop.system and not outer.ended
        return alike and around is not None and not wrote(around, span)

    def _is_part_of(self, runtime: "Runtime", outer: "ActiveHop") -> bool:
        """Whether this is the message of a round trip: the request, or the answer to it."""
        carrier, span = self.hop.carrier, outer.span
        if self.kind is not SpanKind.PRODUCER or carrier is None or span is None:
            return False
        if outer.kind is SpanKind.CLIENT:
            return runtime.propagator.wrote(carrier, span.get_span_context())
        return replies.answers(carrier)

    def _arrive(self, runtime: "Runtime", ambient: Context, links: list[Link]) -> Context:
        account, context = self._account, ambient
        hop = account.hop
        if hop.carrier is not None:
            context = runtime.propagator.extract(hop.carrier, ambient)
            self._said = inbound(context)
            if not hop.trusted:
                context, self._said = linked(self._said.parent, ambient, links), UNTRUSTED
        account.server = runtime.service
        if self._said.awaited and not hop.parts:
            account.serves()
        consumes = account.kind is SpanKind.CONSUMER
        if consumes:
            account.add_first_lives(runtime, links)
        if hop.parts:
            account.add_senders(runtime, links)
            return context
        account.attributes[names.SPAN_PROPAGATION] = self._said.result
        account.add_sender(runtime, self._said, hop)
        if consumes and self._said.parent is not None:
            surrounding = get_current_span(ambient).get_span_context()
            if surrounding.is_valid:
                links.append(Link(surrounding))
        return context

    def _depart(self, runtime: "Runtime", ambient: Context, links: list[Link]) -> Context:
        hop, produces = self.hop, self.kind is SpanKind.PRODUCER
        default = hop.system if produces else hop.destination
        address = hop.peer or hop.destination
        self._account.server = runtime.peers.name_of(address, default or names.UNKNOWN)
        if produces and hop.carrier:
            created = inbound(runtime.propagator.extract(hop.carrier, Context()))
            if created.parent is not None:  # a forwarded message: keep where it came from
                links.append(Link(created.parent))
        tell_attempt(self._account.server, ambient)  # as far as known before it answers
        return ambient
