"""The queue between the application and an exporter, one for each signal and exporter.

OpenTelemetry's batch processor cannot bound a flush, reports success when data is lost, and
drops a batch after about ten seconds of a collector's absence.  This one holds a batch until it
is delivered: `put` never waits, the oldest items give way when the queue is full, every item
is either delivered or counted in `Losses`, and `flush` and `close` end by their deadline whatever
the network does.

There is no lock.  A signal handler may interrupt a thread anywhere, in `put` too, and then wait for
a flush; the delivering thread must not need a lock which the interrupted one holds.  Operations on
a `deque` and a `SimpleQueue` are atomic: an item is taken by exactly one thread, which answers
for it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any, Generic, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_kit._providers.delivery import Delivery, Outcome
from otel_kit._providers.losses import Losses, Reason
from otel_kit._providers.reports import THREAD_PREFIX, Reporter, warn_of_fork

T = TypeVar("T")

_BACKOFF = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between attempts while a collector is away."""
_FLUSH_BACKOFF = (0.1, 0.3)
"""The same within a flush: three attempts, so that an exit without a collector is quick."""


class Flush:
    """A flush under way."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.delivered = False
        self.done = Event()

    def wait(self) -> bool:
        """Until it is done or its deadline has passed; True if everything was delivered."""
        self.done.wait(max(0.0, self.deadline - monotonic()))
        return self.delivered


class Pipeline(Generic[T]):
    """Takes items, delivers them in batches from a thread of its own.

    `connect` makes the exporter, now and again in a forked child.  `produce` is called before each
    export, for a signal that is collected rather than handed in.  `interval` is in seconds, `size`
    says for how many items of telemetry one item of the queue stands.
    """

    def __init__(
        self,
        signal: str,
        connect: Callable[[], Delivery[T]],
        losses: Losses,
        *,
        capacity: int,
        batch: int,
        interval: float,
        size: Callable[[T], int] = lambda _: 1,
    ) -> None:
        self.signal = signal
        self.produce: Callable[[], object] = lambda: None
        self.after_unseen_fork: Callable[[], object] = self.strand
        self._connect, self._losses, self._size = connect, losses, size
        self._capacity, self._batch, self._interval = capacity, min(batch, capacity), interval
        self._delivery: Delivery[T] | None = connect()
        self._ended: Reason | None = None
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._queue: deque[T] = deque()
        self._flight: deque[list[T]] = deque()
        self._flushes: deque[Flush] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._awake = False
        self._last_loss: object = None
        self._failures = 0
        self._asked: float | None = None
        self._retry_at = monotonic()
        self._due = self._retry_at + self._interval
        self._report = Reporter(self.signal)
        name = THREAD_PREFIX + self.signal
        self._thread = Thread(target=self._run, args=(self._wake,), name=name, daemon=True)
        self._thread.start()

    @property
    def exporter(self) -> Any:
        """The exporter behind the delivery, which knows how metrics are to be aggregated."""
        return getattr(self._connected(), "exporter", None)

    def revive(self) -> None:
        """In a forked child: a new thread, exporter and queue; what was queued is the parent's."""
        if self._ended:
            return
        if self._delivery is not None and not self._delivery.survives_fork:
            warn_of_fork(self.signal)
            self.strand()
        else:
            self._delivery = None
            self._start()

    def strand(self) -> None:
        """In a forked child that cannot send: take nothing more, and start no thread."""
        self._pid = os.getpid()
        self._queue, self._flight = deque(), deque()
        self._ended = self._ended or "fork"

    # -- the application's side -----------------------------------------------------------

    def put(self, item: T) -> None:
        """Hand in an item.  Never waits for the network, never raises."""
        if self._pid != os.getpid():
            self.after_unseen_fork()
        self._queue.append(item)
        if self._ended:
            self._abandon(self._ended)
        elif len(self._queue) > self._capacity:
            self._trim()
        if len(self._queue) >= self._batch and not self._failures:
            self._poke()

    def flush(self, deadline: float) -> Flush:
        """Begin to deliver all that was handed in; `deadline` is a time of `monotonic`."""
        flush = Flush(deadline)
        if self._ended:
            flush.done.set()
        else:
            self._flushes.append(flush)
            self._poke()
        return flush

    def close(self) -> None:
        """Stop at once; what is not delivered yet is lost, and so is what is handed in later."""
        if self._ended:
            return
        self._ended = "shutdown"
        self._abandon(self._ended)
        self._poke()
        if self._delivery is not None:
            self._delivery.close()

    def _poke(self) -> None:
        if not self._awake:
            self._awake = True
            self._wake.put(None)

    def _lose(self, reason: Reason, items: Sequence[T]) -> None:
        if items:
            self._last_loss = object()
            self._losses.add(self.signal, reason, sum(map(self._size, items)))

    def _trim(self) -> None:
        while len(self._queue) > self._capacity and (oldest := _take(self._queue)):
            self._lose("queue_full", oldest)

    def _abandon(self, reason: Reason) -> None:
        for batch in _take(self._flight):
            self._lose(reason, batch)
        while left := _take(self._queue):
            self._lose(reason, left)

    # -- the thread's side ----------------------------------------------------------------

    def _run(self, wake: SimpleQueue[None]) -> None:
        # Sending telemetry makes no telemetry.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while not self._ended and self._wake is wake:
            try:
                self._turn()
            except Exception as error:  # the thread must live; the error is reported
                self._report.failure(_name(error), "", len(self._queue), 0)

    def _turn(self) -> None:
        self._sleep()
        flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
        try:
            if flushes or monotonic() >= self._due:
                self._due = monotonic() + self._interval
                self.produce()
            if flushes:
                self._serve(flushes)
            elif monotonic() >= self._retry_at:
                self._drain()
        finally:
            for flush in flushes:
                flush.done.set()

    def _sleep(self) -> None:
        until = self._due
        if self._failures and self._queue:
            until = min(until, self._retry_at)
        try:
            self._wake.get(timeout=max(0.0, until - monotonic()))
            self._awake = False
        except Empty:
            pass

    def _drain(self) -> None:
        left = len(self._queue)
        while left > 0 and self._queue and not (self._ended or self._flushes):
            if not self._attempt():
                return
            left -= self._batch

    def _serve(self, flushes: list[Flush]) -> None:
        left, last_loss = len(self._queue), self._last_loss
        deadline = max(flush.deadline for flush in flushes)
        pauses = iter(_FLUSH_BACKOFF)
        while left > 0 and self._queue and not self._ended and monotonic() < deadline:
            if self._attempt():
                left -= self._batch
            elif not self._pause(self._asked or next(pauses, None), deadline):
                return
        arrived = (left <= 0 or not self._queue) and self._last_loss is last_loss
        for flush in flushes:
            flush.delivered = arrived

    def _pause(self, seconds: float | None, deadline: float) -> bool:
        """Wait for another attempt; False if there is no time or no use."""
        if seconds is None or monotonic() + seconds >= deadline:
            return False
        Event().wait(seconds)
        return True

    def _attempt(self) -> bool:
        """Try to deliver the oldest batch.  False if it has to be tried again later."""
        batch = [item for _ in range(self._batch) for item in _take(self._queue)]
        self._flight.append(batch)
        try:
            outcome = self._connected().send(batch)
        except Exception as error:  # an exporter's bug; the batch is counted below
            outcome = Outcome(delivered=False, problem=_name(error))
        if _take(self._flight):  # else `close` gave it up meanwhile
            self._settle(batch, outcome)
        return not outcome.again

    def _connected(self) -> Delivery[T]:
        if self._delivery is None:
            self._delivery = self._connect()
        return self._delivery

    def _settle(self, batch: list[T], outcome: Outcome) -> None:
        self._asked = outcome.wait
        if outcome.again:
            self._hold(batch, outcome.wait)
        elif outcome.delivered:
            self._failures = 0
        else:
            self._lose("export_failed", batch)
        if outcome.rejected:
            self._last_loss = object()
            self._losses.add(self.signal, "rejected", outcome.rejected)
        self._tell(outcome)

    def _hold(self, batch: list[T], asked: float | None) -> None:
        pause = asked or _BACKOFF[min(self._failures, len(_BACKOFF) - 1)]
        self._retry_at = monotonic() + min(pause, _BACKOFF[-1])
        self._failures += 1
        self._queue.extendleft(reversed(batch))
        self._trim()
        if self._ended:
            self._abandon(self._ended)

    def _tell(self, outcome: Outcome) -> None:
        target = self._delivery.target if self._delivery else ""
        if outcome.delivered and not outcome.rejected:
            self._report.success(target)
        else:
            lost = self._losses.total(self.signal)
            self._report.failure(outcome.problem, target, len(self._queue), lost)


def _take(items: deque[T]) -> list[T]:
    """The oldest item, if there is one; no two threads get the same."""
    try:
        return [items.popleft()]
    except IndexError:
        return []


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


AnyPipeline = Pipeline[Any]
