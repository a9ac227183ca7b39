"""What the store returns and the explorer reads: frozen records, standard library only.

Times are integer nanoseconds since the Unix epoch (``*_ns``) or float seconds (``*_s``); ids are
lower-case hexadecimal text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

AttributeValue: TypeAlias = (
    "str | bool | int | float | bytes | Sequence[AttributeValue] |"
    " Mapping[str, AttributeValue] | None"
)
Attributes: TypeAlias = Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A span event."""

    time_ns: int
    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A span link to a span of this or another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One finished span.

    ``kind`` is internal, server, client, producer, consumer or empty; ``status`` is unset, ok or
    error; ``parent_span_id`` is None for a root span.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    service: str
    started_ns: int
    ended_ns: int
    status: str
    status_message: str
    attributes: Attributes
    resource: Attributes
    scope: str = ""
    scope_version: str = ""
    trace_state: str = ""
    events: Sequence[EventRecord] = ()
    links: Sequence[LinkRecord] = ()

    @property
    def duration_s(self) -> float:
        """Seconds from start to end; never negative."""
        return max(self.ended_ns - self.started_ns, 0) / 1e9


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record or event; ``trace_id`` and ``span_id`` are None outside of a span."""

    time_ns: int
    service: str
    severity: str
    event_name: str
    body: AttributeValue
    trace_id: str | None
    span_id: str | None
    attributes: Attributes
    resource: Attributes
    scope: str = ""


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """The spans of one trace, by start time."""

    trace_id: str
    spans: Sequence[SpanRecord]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a saga with all its attempts, as a list of sagas shows it.

    ``kind`` is action or compensation.  ``started_ns`` is the first attempt's; ``ended_ns`` is the
    last one's, None while it is open.  ``result`` is the last attempt's: ok, error or open.
    """

    name: str
    kind: str
    started_ns: int
    ended_ns: int | None
    result: str


@dataclass(frozen=True, slots=True)
class SagaRecord:
    """One business flow, over all of its traces.

    ``state`` is running, stuck, completed, compensating, compensated, partially_compensated or
    failed.  ``step`` is the step in progress, else the last one seen, else None.  ``duration_s``
    runs to the last span of a finished saga and to now for any other.  ``errors`` counts spans
    with status error.

    ``active_ns`` is when something of it was last seen.  ``retries`` counts attempts beyond the
    first: of retried calls, or of steps if those are more (a call's attempt can hold a step's).
    ``steps`` are its steps by start, the latest where there are very many.  ``failed_step`` is the
    last of them that ended in an error, None if none did.
    """

    id: str
    name: str
    state: str
    step: str | None
    started_ns: int
    duration_s: float
    services: Sequence[str]
    errors: int
    trace_ids: Sequence[str]
    active_ns: int = 0
    retries: int = 0
    steps: tuple[StepRecord, ...] = ()
    failed_step: str | None = None


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many sagas are in a state."""

    state: str
    count: int


@dataclass(frozen=True, slots=True)
class SagaDetail:
    """A saga with everything stored of it; ``truncated`` says that a limit cut the answer."""

    saga: SagaRecord
    traces: Sequence[TraceRecord]
    logs: Sequence[LogRecord]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """A span name of a service, with its span kind."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class DependencyRecord:
    """How often ``parent`` was the service above ``child`` in a trace."""

    parent: str
    child: str
    calls: int


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Seconds, interpolated within histogram buckets; None when nothing was measured."""

    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class PropagationRecord:
    """What became of the context of one hop's requests or messages.

    `results` maps continued, missing, invalid and stale to counts; all but the first are lost.
    `client` is who called or sent: as it said, or (`inferred`) as the clients' own metrics tell by
    elimination, else unknown.  `destination` is empty for requests.  `since_ns` and `last_ns` are
    when the first and the latest was lost, to about a metric export interval; None if none was.
    `likely_cause` is a sentence, empty if nothing was lost.
    """

    client: str
    server: str
    transport: str
    destination: str
    results: Mapping[str, int]
    inferred: bool = False
    since_ns: int | None = None
    last_ns: int | None = None
    likely_cause: str = ""

    @property
    def lost(self) -> int:
        """How many arrived without the context that they should have had."""
        return sum(count for result, count in self.results.items() if result != "continued")

    @property
    def rate(self) -> float:
        """The lost share, from 0 to 1."""
        return self.lost / max(1, sum(self.results.values()))


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A pair of services that talk, as their own metrics counted it.

    ``errors`` maps an error class to a count; ``queue`` is the dwell of messages, from send to
    start of handling, and is empty for synchronous transports.  ``side`` tells whose
    durations these are: the receiving side's where it reports, else the sending side's.  ``calls``
    and ``errors`` also have what only the sending side saw; `embedded.metrics.edges` says how.
    """

    client: str
    server: str
    transport: str
    side: str
    calls: int
    errors: Mapping[str, int] = field(default_factory=dict)
    duration: Quantiles = Quantiles()
    queue: Quantiles = Quantiles()


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """A queue and one group of its consumers.

    ``depth`` and ``lag`` are messages, ``lag_time_s`` the age of the oldest that is not handled;
    None where nobody reports them.  ``wait`` is the dwell of the ``consumed`` messages.
    """

    transport: str
    destination: str
    group: str
    depth: float | None = None
    lag: float | None = None
    lag_time_s: float | None = None
    consumed: int = 0
    wait: Quantiles = Quantiles()


@dataclass(frozen=True, slots=True)
class BreakerRecord:
    """A circuit breaker of a service, over all its instances.

    ``state`` is the worst of closed, half_open and open, ``since_s`` when the instance that says so
    entered it (seconds since the epoch, None if unknown).  ``time_open_s`` adds up the instances.
    """

    name: str
    server: str
    service: str
    state: str
    since_s: float | None
    time_open_s: float
    transitions: int
    rejected: int
