"""The runtime: one service's providers, and the four verbs over them.

`call`, `serve`, `send` and `process` are the only code that touches spans, context, clocks and
edge metrics.  They may be used for hops that no integration sees, and never raise.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from opentelemetry._logs import Logger
from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,  # the key that OpenTelemetry's instrumentations heed
    Context,
    get_value,
)
from opentelemetry.metrics import Meter
from opentelemetry.trace import Link, Span, SpanKind, Tracer
from opentelemetry.util.types import AttributeValue

from otel_kit.hops.active import ActiveHop
from otel_kit.hops.begun import Begun
from otel_kit.hops.cells import ATOMIC, Cells
from otel_kit.hops.edges import Edges
from otel_kit.hops.handed import HandedOut
from otel_kit.hops.hop import Hop
from otel_kit.hops.instruments import Instruments
from otel_kit.hops.keys import REPLAY
from otel_kit.hops.messaging import describe
from otel_kit.hops.peers import Bounded, Peers
from otel_kit.hops.propagation import Propagator
from otel_kit.hops.series import Projection

_log = logging.getLogger("otel_kit")


class CoreSettings(Protocol):
    """What the core asks of the settings."""

    @property
    def service_name(self) -> str: ...
    @property
    def peers(self) -> Mapping[str, str]: ...
    @property
    def max_peers(self) -> int: ...
    @property
    def semconv_metrics(self) -> bool: ...
    @property
    def service_graph(self) -> bool: ...
    @property
    def exemplar_filter(self) -> str: ...
    @property
    def edge(self) -> bool: ...
    @property
    def envelopes(self) -> tuple[str, ...]: ...
    @property
    def websocket_envelope(self) -> bool: ...
    @property
    def strict(self) -> bool: ...


StartSpan = Callable[
    [str, Context, SpanKind, Mapping[str, AttributeValue], Sequence[Link] | None], Span
]
"""A tracer's `start_span`: name, parent context, kind, attributes, links."""


class Runtime:
    """One service: its name, its tracer, its edge metrics, and whom it has met."""

    def __init__(
        self,
        *,
        tracer: Tracer,
        meter: Meter,
        logger: Logger,
        settings: CoreSettings,
        propagator: Propagator,
    ) -> None:
        self.tracer = tracer
        self.start_span: StartSpan = tracer.start_span
        self.meter = meter
        self.logger = logger
        self.service = settings.service_name
        self.strict = settings.strict
        self.envelopes = settings.envelopes
        self.websocket_envelope = settings.websocket_envelope
        self.propagator = propagator
        projection = Projection(
            semconv=settings.semconv_metrics,
            service_graph=settings.service_graph,
            entry_point=settings.edge,
        )
        self.cells = Cells(projection, settings.exemplar_filter)
        self._instruments = Instruments(meter, projection)
        self.edges: Edges = self._instruments
        self.peers = Peers(settings.peers, settings.max_peers)
        self.saga_names = Bounded(settings.max_peers)
        self.breaker_names = Bounded(settings.max_peers)
        self.breaker_servers = Bounded(settings.max_peers)
        self.retried_names = Bounded(settings.max_peers)
        self.handed_out = HandedOut()
        self.sagas = Begun()
        self._reported: set[str] = set()

    def use(self, cells: Cells | None) -> None:
        """Keep edge metrics in `cells`, which somebody collects; None: in the meter's instruments.

        Without a global interpreter lock it is the instruments in any case.
        """
        self.edges = cells if cells is not None and ATOMIC else self._instruments

    def start_by(self, start_span: "StartSpan | None") -> None:
        """Start the spans of hops by `start_span`; None: by the tracer."""
        self.start_span = start_span or self.tracer.start_span

    def broke(self, where: str, error: Exception) -> None:
        """A bug of ours: the application must not notice.  Logged once; raised if strict."""
        if self.strict:
            raise error
        if where not in self._reported:
            self._reported.add(where)
            _log.warning("otel_kit lost telemetry in %s (reported once)", where, exc_info=error)


_current: Runtime | None = None
_replays = False


def configure(runtime: Runtime | None) -> None:
    """Make `runtime` the one that the verbs use; None switches them off."""
    global _current
    _current = runtime


def configured() -> Runtime | None:
    """The runtime that `instrument()` made, None before it or where telemetry is disabled."""
    return _current


def current() -> Runtime | None:
    """The same for what records; None within a replay too."""
    return None if replaying() else _current


def replaying() -> bool:
    """Whether this is within a replay, where nothing is recorded."""
    return _replays and bool(get_value(REPLAY))


def replayed(context: Context) -> Context:
    """`context` within a replay; OpenTelemetry's own instrumentations record nothing there too."""
    global _replays
    _replays = True  # until the first of them nobody looks for it
    return Context({**context, REPLAY: True, _SUPPRESS_INSTRUMENTATION_KEY: True})


def enveloped(system: str, destination: str) -> bool:
    """Whether messages to `destination` carry their context in their own bytes: the user's word."""
    wanted = () if _current is None else _current.envelopes
    return any(fnmatchcase(f"{system}:{destination}", _whole(each)) for each in wanted)


def _whole(pattern: str) -> str:
    return pattern if ":" in pattern else f"{pattern}:*"


def call(hop: Hop) -> ActiveHop:
    """A request that goes out and is answered: a CLIENT span around the `with` block."""
    return ActiveHop(current(), SpanKind.CLIENT, hop)


def serve(hop: Hop) -> ActiveHop:
    """A request that came in: a SERVER span around its handler."""
    return ActiveHop(current(), SpanKind.SERVER, hop)


def send(hop: Hop) -> ActiveHop:
    """A message that goes out: a PRODUCER span until the broker has it."""
    return ActiveHop(current(), SpanKind.PRODUCER, hop)


def process(message: object) -> ActiveHop:
    """A message, or a list of them, that is being handled: a CONSUMER span around the handler.

    `message` is a library's own (a Kafka record, …), a list of such (one span, a link to each
    sender), or a `Hop`; None and an empty list, as a poll returns that finds nothing, make no span.
    One message is a child of its sender's span.  Within the loop body of an instrumented consumer
    it makes no second span: it takes that one over and ends it, with the handler's error; so it
    does in a task or thread that begins before the loop asks for the next message, or (a task)
    right after.  If that span has ended already, or the message is tried again, it makes an
    INTERNAL span below it: a message counts once.
    """
    runtime, hop, twin = current(), describe(message), None
    if hop is not None and runtime is not None:
        try:
            twin = runtime.handed_out.find(hop)
        except Exception as error:  # the guard: a description of somebody's own
            runtime.broke("process", error)
    return ActiveHop(runtime, _handling(hop), hop, twin)


def receive(hop: Hop | None) -> ActiveHop:
    """A message that a consumer's loop hands out; also one that was handed out before is new."""
    return ActiveHop(current(), _handling(hop), hop)


def _handling(hop: Hop | None) -> SpanKind:
    return SpanKind.SERVER if hop is not None and hop.request else SpanKind.CONSUMER
