"""The queue gauges, and what they are read from: every source gives readings, which add up here."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_kit import names
from otel_kit.hops import current

MAX_SERIES = 500
"""Distinct (transport, destination, group); all further ones are added up as `_OTHER`."""
MAX_INTERVAL = 5.0
"""Seconds between two samples; fewer where metrics are exported more often."""
STALE_INTERVALS = 3
"""An answer older than so many intervals is no longer reported."""
_MIN_INTERVAL = 0.05


class Queue(NamedTuple):
    """The labels of a queue."""

    transport: str
    destination: str
    group: str


class Reading(NamedTuple):
    """What is known of a queue: messages, messages, seconds; None is left out."""

    queue: Queue
    depth: float | None = None
    lag: float | None = None
    lag_time: float | None = None


class Source(Protocol):
    """What gives readings.  Neither function raises."""

    def start(self, interval: float) -> None:
        """Begin to sample every `interval` seconds, or go on."""

    def stop(self) -> None:
        """Sample no more."""

    def readings(self, now: float) -> Iterable[Reading]:
        """What is known at `now` (seconds since the epoch); must not block."""


class Readings:
    """All sources of this process, and the meters that report them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sources: dict[int, Source] = {}
        self._intervals: list[float] = []

    def add(self, source: Source) -> None:
        """Sampled from now on if anybody reports, else as soon as somebody does."""
        self._sources[id(source)] = source
        if self._intervals:
            source.start(self._intervals[-1])

    def drop(self, source: Source) -> None:
        """Its series end."""
        self._sources.pop(id(source), None)
        source.stop()

    def install(self, meter: Meter, export_interval: float) -> Callable[[], None]:
        """Report to `meter` every `export_interval` seconds; the returned function ends it."""
        interval = max(min(MAX_INTERVAL, export_interval), _MIN_INTERVAL)
        live = True

        def gauge(name: str, unit: str, description: str, field: str) -> None:
            def observe(options: CallbackOptions) -> Iterable[Observation]:
                return list(self._observations(field)) if live else []

            meter.create_observable_gauge(name, [observe], unit, description)

        gauge(names.QUEUE_DEPTH, "{message}", "Messages waiting in a queue.", "depth")
        gauge(names.QUEUE_LAG, "{message}", "Messages of a queue not handled yet.", "lag")
        gauge(names.QUEUE_LAG_TIME, "s", "Age of the oldest message not handled yet.", "lag_time")
        self._intervals.append(interval)
        self._start()

        def undo() -> None:
            nonlocal live
            live = False
            self._intervals.remove(interval)
            if not self._intervals:
                for source in list(self._sources.values()):
                    source.stop()

        return undo

    def _start(self) -> None:
        for source in list(self._sources.values()):
            source.start(self._intervals[-1])

    def _observations(self, field: str) -> Iterator[Observation]:
        self._start()  # threads do not survive a fork
        found: list[Reading] = []
        for source in list(self._sources.values()):
            try:
                found += source.readings(self._clock())
            except Exception as error:  # the guard: one source must not silence the others
                if (runtime := current()) is not None:
                    runtime.broke("read a queue", error)
        for reading in combined(found):
            value = getattr(reading, field)
            if value is not None:
                yield Observation(value, reading.queue._asdict())


def combined(found: Iterable[Reading]) -> list[Reading]:
    """One reading a queue: messages are added up, of ages the greatest counts."""
    queues: dict[Queue, Reading] = {}
    for each in found:
        queue = each.queue
        if queue not in queues and len(queues) >= MAX_SERIES:
            queue = Queue(queue.transport, names.OVERFLOW, names.OVERFLOW)
        other = queues.get(queue, Reading(queue))
        queues[queue] = Reading(
            queue,
            _either(sum, other.depth, each.depth),
            _either(sum, other.lag, each.lag),
            _either(max, other.lag_time, each.lag_time),
        )
    return list(queues.values())


def _either(
    join: Callable[[list[float]], float], one: float | None, other: float | None
) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return join(known) if known else None


readings = Readings()
"""Those of this process."""
