"""What decoding hands to the store: compressed blocks and what must be indexed of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

OUTCOMES: Final = frozenset({"completed", "compensated", "partially_compensated", "failed"})
COMPENSATION: Final = "compensation"
STEP_KINDS: Final = frozenset({"action", COMPENSATION})


@dataclass(slots=True)
class Rejected:
    """Items of a request that were refused one by one; ``reason`` is the first one's."""

    count: int = 0
    reason: str = ""

    def add(self, reason: str, count: int = 1) -> None:
        """Count `count` more items refused for `reason`."""
        self.count += count
        self.reason = self.reason or reason


@dataclass(slots=True)
class TraceSlice:
    """What one batch says about one trace."""

    started_ns: int
    ended_ns: int
    spans: int = 0
    errors: int = 0

    def __add__(self, other: "TraceSlice") -> "TraceSlice":
        """What two batches say; a new slice, as a batch whose commit fails is written again."""
        return TraceSlice(
            min(self.started_ns, other.started_ns),
            max(self.ended_ns, other.ended_ns),
            self.spans + other.spans,
            self.errors + other.errors,
        )


class StepSeen(NamedTuple):
    """A step's start event (``ended_ns`` is None) or its finished span."""

    span_id: bytes
    step: str
    kind: str
    compensates: str
    started_ns: int
    ended_ns: int | None = None
    failed: bool = False


@dataclass(slots=True)
class SagaSlice:
    """What one batch says about one saga.

    ``outcome_ns`` is when the outcome was set; ``retries`` counts repeated attempts of calls.
    """

    started_ns: int
    active_ns: int
    name: str = ""
    outcome: str | None = None
    outcome_ns: int = 0
    compensating: bool = False
    retries: int = 0
    steps: list[StepSeen] = field(default_factory=list)
    traces: set[bytes] = field(default_factory=set)
    log_blocks: set[int] = field(default_factory=set)

    def __add__(self, other: "SagaSlice") -> "SagaSlice":
        """What two batches say; a new slice, as those of a trace.  Without their logs."""
        last = self if self.outcome_ns > other.outcome_ns else other
        return SagaSlice(
            min(self.started_ns, other.started_ns),
            max(self.active_ns, other.active_ns),
            self.name or other.name,
            last.outcome,
            last.outcome_ns,
            self.compensating or other.compensating,
            self.retries + other.retries,
            self.steps + other.steps,
            self.traces | other.traces,
        )

    def keep_active(self, ends_ns: Iterable[int]) -> None:
        """Its traces last to `ends_ns`, also with spans that do not name it."""
        self.active_ns = max((self.active_ns, *ends_ns))

    def saw_step(self, step: StepSeen) -> None:
        """Take in one step."""
        self.steps.append(step)
        self.compensating = self.compensating or step.kind == COMPENSATION

    def saw_outcome(self, outcome: str, at_ns: int) -> None:
        """Take in an outcome; of several the latest rules, and unknown words say nothing."""
        if outcome in OUTCOMES and at_ns >= self.outcome_ns:
            self.outcome, self.outcome_ns = outcome, at_ns


@dataclass(frozen=True, slots=True)
class SpanBlock:
    """Compressed OTLP and what leads to it.

    ``traces`` are the ids of each service's traces, ``operations`` (service, span name, kind
    number); the first and the last start are of spans.
    """

    data: bytes
    traces: dict[str, set[bytes]]
    operations: set[tuple[str, str, int]]
    first_start_ns: int
    last_start_ns: int


@dataclass(frozen=True, slots=True)
class LogBlock:
    """Compressed OTLP, how many records are in it and the ids of their traces."""

    data: bytes
    trace_ids: frozenset[bytes]
    records: int


@dataclass(slots=True)
class TraceBatch:
    """One request's spans, ready to be stored."""

    blocks: list[SpanBlock] = field(default_factory=list)
    traces: dict[bytes, TraceSlice] = field(default_factory=dict)
    sagas: dict[str, SagaSlice] = field(default_factory=dict)
    rejected: Rejected = field(default_factory=Rejected)


@dataclass(slots=True)
class LogBatch:
    """One request's log records; a saga's ``log_blocks`` are positions in ``blocks``."""

    blocks: list[LogBlock] = field(default_factory=list)
    sagas: dict[str, SagaSlice] = field(default_factory=dict)
    rejected: Rejected = field(default_factory=Rejected)
