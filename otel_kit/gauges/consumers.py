"""Lag of the consumers of a partitioned log, from what they know and, rarely, from the broker.

Whoever collects metrics reads a consumer's own numbers, which takes microseconds and asks nobody.
A thread of each consumer looks now and then in between; only where the consumer's knowledge is old,
because it is paused, stuck in its handler or not asking, the thread asks the broker where the log
ends, by the consumer's own connection.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from otel_kit._locks import ForkSafeLock
from otel_kit.gauges.backlog import Backlog, Known
from otel_kit.gauges.readings import STALE_INTERVALS, Queue, Reading, combined
from otel_kit.gauges.watched import InUse, Watched

Partition = tuple[str, int]
"""Topic and number, or a library's own named tuple of the two."""
Offsets = Mapping[Partition, int]
Message = tuple[Partition, int, float | None]
"""A message's partition, offset, and time (seconds since the epoch)."""


class Library(Protocol):
    """What an integration knows of its library's consumers.  Each function may raise."""

    @property
    def system(self) -> str:
        """The transport's name in labels."""

    def group(self, consumer: Any) -> str | None:
        """The consumer group."""

    def partitions(self, consumer: Any, away: float) -> Mapping[Partition, Known]:
        """The assigned partitions; reads what is there, from any thread, and asks nobody.

        For `away` seconds the application has not been waiting for messages.
        """

    def handling(self, consumer: Any) -> Iterable[Message]:
        """The messages that were handed out one by one and are being handled."""

    def ends(self, consumer: Any, partitions: list[Partition]) -> Offsets:
        """Asks the broker; may block for some seconds."""


class Consumer(Watched):
    """One consumer and its partitions' backlogs."""

    def __init__(
        self, consumer: object, library: Library, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives seconds since the epoch."""
        super().__init__(consumer, "a consumer")
        self._library = library
        self._clock = clock
        self._lock = ForkSafeLock()
        self._backlogs: dict[Partition, Backlog] = {}
        self._returned_at: float | None = None
        self._whole = True
        self._batch: list[Message] = []
        self._committed: dict[Partition, int] = {}

    # -- what the application does ----------------------------------------------------------------

    def asked(self, *, whole: bool = True) -> None:
        """The application asks for a batch: it is done with the one before.

        `whole` is false where the library asks itself, to hand the messages out one by one.
        """
        self._whole = whole
        self._batch = []
        self._returned_at = None

    def returned(self, batch: Iterable[Message]) -> None:
        """It got one: the first message of each partition, if any."""
        self._batch = list(batch) if self._whole else []
        self._returned_at = time.monotonic()

    def committed(self, offsets: Offsets | None) -> None:
        """It says that it has handled what is before these offsets, or all it was given."""
        consumer = self._subject()
        if offsets is None and consumer is not None:
            known = self._library.partitions(consumer, 0.0)
            offsets = {partition: each.position for partition, each in known.items()}
        kept = {each: at for each, at in self._committed.items() if each in self._backlogs}
        self._committed = {**kept, **(offsets or {})}

    # -- a source of readings ---------------------------------------------------------------------

    def readings(self, now: float) -> Iterable[Reading]:
        consumer = self._subject()
        if consumer is None or not self.here:
            return []
        group = self._library.group(consumer) or ""
        oldest = now - STALE_INTERVALS * self._interval
        with self._lock:
            self._look(consumer, now)
            return combined(
                Reading(
                    Queue(self._library.system, topic, group),
                    backlog.depth,
                    backlog.lag,
                    backlog.lag_time(now),
                )
                for (topic, _), backlog in self._backlogs.items()
                if not backlog.doubtful(oldest)
            )

    def look(self, subject: Any) -> None:
        """Ask the broker for what the consumer cannot know."""
        with self._lock:
            old = self._look(subject, self._clock())
        if old:
            self._learn(self._library.ends(subject, old))

    def _look(self, consumer: Any, now: float) -> list[Partition]:
        """Read the consumer; the partitions whose end it does not know now."""
        since = self._returned_at
        away = 0.0 if since is None else time.monotonic() - since
        known = self._library.partitions(consumer, away)
        in_hand = self._in_hand(consumer, known)
        self._backlogs = {each: self._backlogs.get(each) or Backlog() for each in known}
        for partition, backlog in self._backlogs.items():
            backlog.look(known[partition], in_hand.get(partition, {}), now)
        return [partition for partition, each in known.items() if not each.fresh]

    def _in_hand(
        self, consumer: Any, known: Mapping[Partition, Known]
    ) -> dict[Partition, dict[int, float | None]]:
        found: dict[Partition, dict[int, float | None]] = {}
        for partition, offset, sent_at in (*self._library.handling(consumer), *self._batch):
            if partition in known and self._counts(partition, offset, known[partition].position):
                found.setdefault(partition, {})[offset] = sent_at
        return found

    def _counts(self, partition: Partition, offset: int, position: int) -> bool:
        committed = self._committed.get(partition, 0)
        if committed > position:  # it went back to what it had handled before
            committed = 0
        return committed <= offset < position

    def _learn(self, ends: Offsets) -> None:
        with self._lock:
            for partition, end in ends.items():
                if partition in self._backlogs:
                    self._backlogs[partition].told(end, self._clock())


def consumers_of(library: Library) -> InUse[Consumer]:
    """The consumers of one library that have been seen and not closed."""
    return InUse(partial(Consumer, library=library))
