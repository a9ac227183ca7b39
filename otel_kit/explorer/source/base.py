"""What every source of telemetry answers, and how it says that it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    QueueRecord,
    SagaDetail,
    SagaRecord,
    StateCount,
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class NotKnown:
    """This source cannot tell, and why: one sentence for the reader."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rows(Generic[R]):
    """Rows measured within the last `window_s` seconds, None: since the services began."""

    rows: tuple[R, ...]
    window_s: float | None = None


Answer: TypeAlias = Rows[R] | NotKnown
Order: TypeAlias = Literal["newest", "oldest", "stalest"]
"""By start, or (stalest) only sagas in progress, those that have been quiet the longest first."""
IN_PROGRESS: Final = ("running", "stuck", "compensating")
"""States of a saga of which more may come."""


@dataclass(frozen=True, slots=True)
class SagaSearch:
    """Which sagas; what is empty or None does not restrict.

    `contains` is a part of the id, `states` are those wanted.  Started within [`started_after_ns`,
    `started_before_ns`), and lasting at least `least_s` and at most `most_s` seconds, one in
    progress until now.  `cursor` is `SagaPage.next` of the page before, of the same search.
    """

    contains: str = ""
    states: tuple[str, ...] = ()
    name: str = ""
    service: str = ""
    started_after_ns: int | None = None
    started_before_ns: int | None = None
    least_s: float | None = None
    most_s: float | None = None
    order: Order = "newest"
    limit: int = 50
    cursor: str = ""

    def admits(self, saga: SagaRecord) -> bool:
        """Whether the saga fits everything but the cursor."""
        after, before = self.started_after_ns, self.started_before_ns
        return (
            self.contains in saga.id
            and (not self.states or saga.state in self.states)
            and self.name in ("", saga.name)
            and (not self.service or self.service in saga.services)
            and (after is None or saga.started_ns >= after)
            and (before is None or saga.started_ns < before)
            and (self.least_s is None or saga.duration_s >= self.least_s)
            and (self.most_s is None or saga.duration_s <= self.most_s)
        )


@dataclass(frozen=True, slots=True)
class SagaPage:
    """Sagas in the order asked for.  `next` leads to more, None: there are none.

    Where the source itself cannot filter, a page can be short, even empty, and still have a `next`.
    A saga that stirs between two pages of the stalest is found again at its new place.
    `notes` say what this source may have missed.
    """

    rows: tuple[SagaRecord, ...]
    next: str | None = None
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """Where the explorer reads from.

    Every method but `close`, `limits` and `trace_url` asks over the network and raises `SourceDown`
    or `BadAnswer`.  What a source of this kind can never tell is answered `NotKnown`.
    """

    @property
    def label(self) -> str:
        """What it is and where, for the reader."""
        ...

    @property
    def as_of_ns(self) -> int | None:
        """When what it tells was recorded, nanoseconds; None: it tells of now."""
        ...

    def limits(self) -> Sequence[str]:
        """What this source can never tell: a sentence each."""
        ...

    def find_sagas(self, search: SagaSearch) -> SagaPage:
        """One page of sagas, by keyset: it stays right while new ones arrive."""
        ...

    def count_by_state(self, search: SagaSearch) -> Answer[StateCount]:
        """How many sagas fit, for every state; `states`, `order` and what pages do not matter."""
        ...

    def saga_names(self) -> Answer[str]:
        """Names of sagas, sorted: what the filter by name can be set to."""
        ...

    def saga(self, saga_id: str) -> SagaDetail | None:
        """A saga with all its traces, spans and logs; None if there is none."""
        ...

    def samples(self, name: str, limit: int = 20) -> Sequence[SagaDetail]:
        """The latest completed sagas of this name, to learn from what is usual."""
        ...

    def edges(self) -> Answer[EdgeRecord]:
        """Pairs of services that talk."""
        ...

    def queues(self) -> Answer[QueueRecord]:
        """Queues with their consumers' groups."""
        ...

    def breakers(self) -> Answer[BreakerRecord]:
        """Circuit breakers."""
        ...

    def propagation(self) -> Answer[PropagationRecord]:
        """What became of the context, hop by hop."""
        ...

    def trace_url(self, trace_id: str) -> str | None:
        """A page that shows the trace, None if there is none."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
