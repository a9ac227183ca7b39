"""The metrics of circuit breakers, for one runtime."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry.context import get_current
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import SpanKind, get_current_span

from otel_kit import names
from otel_kit._locks import ForkSafeLock
from otel_kit.errors import ErrorClass
from otel_kit.hops import Runtime
from otel_kit.hops.attempts import tell_attempt
from otel_kit.hops.edges import SIDES, Edge

if TYPE_CHECKING:
    from otel_kit.gauges.breakers import Breaker, State

STATES: "Final[tuple[State, ...]]" = ("closed", "half_open", "open")
"""From best to worst."""


class Labels(NamedTuple):
    """What a series of a breaker is told by; both bounded."""

    name: str
    server: str

    def plus(self, others: Mapping[str, str]) -> dict[str, str]:
        return {names.NAME: self.name, names.SERVER: self.server, **others}


class Series:
    """The breakers of one name and server.  The worst of their states counts."""

    def __init__(self) -> None:
        self.members: WeakSet[Breaker] = WeakSet()
        self.state: State = "closed"
        self.seconds: dict[State, float] = dict.fromkeys(STATES, 0.0)
        self.changed_at = time.time()
        self._accrued_at = time.monotonic()

    @property
    def alive(self) -> bool:
        return any(member.alive for member in list(self.members))

    def update(self, seconds: float = 0.0) -> None:
        """Add up the time until `seconds` ago, from when on the present state counts."""
        now = time.monotonic()
        at = max(self._accrued_at, now - seconds)
        self.seconds[self.state] += at - self._accrued_at
        self._accrued_at = at
        states = [member.state for member in list(self.members) if member.alive]
        if states:
            if (worst := max(states, key=STATES.index)) != self.state:
                self.state, self.changed_at = worst, time.time() - (now - at)
            self.seconds[self.state] += now - at
        self._accrued_at = now


class Export:
    """The instruments, and the series that they report."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._series: dict[Labels, Series] = {}
        self._labels: WeakKeyDictionary[Breaker, Labels] = WeakKeyDictionary()
        self._lock = ForkSafeLock()
        meter = runtime.meter
        self._transitions = meter.create_counter(
            names.BREAKER_TRANSITIONS, "{transition}", "Changes of a circuit breaker's state."
        )
        self._rejected = meter.create_counter(
            names.BREAKER_REJECTED, "{call}", "Calls that a circuit breaker refused."
        )
        meter.create_observable_gauge(
            names.BREAKER_STATE,
            [self._observing(_states)],
            "1",
            "1 for the state it is in, else 0.",
        )
        meter.create_observable_gauge(
            names.BREAKER_CHANGED, [self._observing(_changes)], "s", "When the state was entered."
        )
        meter.create_observable_counter(
            names.BREAKER_TIME, [self._observing(_times)], "s", "Time spent in each state."
        )

    def adopt(self, breaker: "Breaker") -> None:
        """Report this breaker, from now on, under the labels it has now."""
        runtime = self._runtime
        server = runtime.peers.known_as(breaker.server) or breaker.server
        labels = Labels(runtime.breaker_names(breaker.name), runtime.breaker_servers(server))
        with self._lock:
            if (before := self._labels.get(breaker)) is not None:
                self._series[before].members.discard(breaker)
            self._labels[breaker] = labels
            series = self._series.setdefault(labels, Series())
            series.members.add(breaker)
            series.update()

    def moved(self, breaker: "Breaker", old: str, new: str, seconds: float) -> None:
        """A breaker went from one state into another, `seconds` ago."""
        try:
            labels = self._labels[breaker]
            with self._lock:
                self._series[labels].update(seconds)
            change = {names.FROM: old, names.TO: new}
            self._transitions.add(1, labels.plus(change))
            get_current_span().add_event(
                names.EVENT_BREAKER_TRANSITION, {names.NAME: breaker.name, **change}
            )
        except Exception as error:  # the guard: a breaker must not fail for our sake
            self._runtime.broke("circuit breaker", error)

    def rejected(self, breaker: "Breaker") -> None:
        """A call was refused: no hop is made, yet the edge has an error."""
        try:
            labels, runtime = self._labels[breaker], self._runtime
            self._rejected.add(1, labels.plus({}))
            edge = Edge(
                runtime.service,
                runtime.peers.server(labels.server),
                names.BREAKER_TRANSPORT,
                SIDES[SpanKind.CLIENT],
                labels.name,
                ErrorClass.BREAKER_OPEN.value,
            )
            runtime.edges.hop(0.0, edge, None, 1, get_current())
            get_current_span().add_event(names.EVENT_BREAKER_REJECTED, {names.NAME: breaker.name})
            tell_attempt(labels.server)
        except Exception as error:
            self._runtime.broke("circuit breaker", error)

    def _observing(
        self, observe: "Callable[[Labels, Series], Iterator[Observation]]"
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def callback(options: CallbackOptions) -> Iterable[Observation]:
            for breaker in [m for s in list(self._series.values()) for m in list(s.members)]:
                try:
                    breaker.refresh()
                except Exception as error:  # the application's own function, or a wrong state
                    self._runtime.broke(f"state of circuit breaker {breaker.name}", error)
            with self._lock:
                for series in self._series.values():
                    series.update()
                return [o for each in self._series.items() for o in observe(*each)]

        return callback


def _states(labels: Labels, series: Series) -> Iterator[Observation]:
    for state in STATES if series.alive else ():
        yield Observation(int(series.state == state), labels.plus({names.STATE: state}))


def _changes(labels: Labels, series: Series) -> Iterator[Observation]:
    if series.alive:
        yield Observation(series.changed_at, labels.plus({}))


def _times(labels: Labels, series: Series) -> Iterator[Observation]:
    for state in STATES:
        yield Observation(series.seconds[state], labels.plus({names.STATE: state}))
