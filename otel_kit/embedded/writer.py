"""The one thread that writes: a bounded queue, batches that share a commit, and housekeeping.

A batch's future is done only when its data is committed, and with SQLite's synchronous=FULL that
means on disk.  Whatever waits while one commit runs shares the next, and so does what is just being
decoded: a commit waits for it a little.
"""

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from otel_kit.embedded.batches import LogBatch, Rejected, TraceBatch
from otel_kit.embedded.config import GROUP_BATCHES, PENDING_BATCHES
from otel_kit.embedded.ingest import Ingest
from otel_kit.embedded.metrics.decode import PointBatch
from otel_kit.embedded.metrics.store import MetricPlan, MetricStore
from otel_kit.embedded.problems import Refused, TooLarge, Unavailable
from otel_kit.embedded.retention import Retention

_HOUSEKEEPING_S: Final = 0.05
"""How long waiting batches are kept back by retention."""
_GATHER_S: Final = 0.02
"""How long a commit waits for batches that are being made."""
_PRUNE_EVERY_S: Final = 60.0


class Ping:
    """Writes something, to see that the disk takes it."""


Batch: TypeAlias = TraceBatch | LogBatch | PointBatch | Ping


@dataclass(slots=True)
class _Pending:
    batch: Batch
    done: "Future[Rejected]" = field(default_factory=Future)

    def size(self) -> int:
        """Bytes that will be written, about."""
        blocks = getattr(self.batch, "blocks", ())
        return sum(len(block.data) for block in blocks)


class Writer:
    """Owns the writing connection from `start` to `stop`."""

    def __init__(self, connection: sqlite3.Connection, metrics: MetricStore, max_size: int) -> None:
        self._connection = connection
        self._metrics = metrics
        self._max_group = max_size // 10
        self._ingest = Ingest(connection)
        self._retention = Retention(connection, max_size)
        self._queue: queue.Queue[_Pending | None] = queue.Queue(PENDING_BATCHES)
        self._held: _Pending | None = None
        self._coming, self._coming_lock = 0, threading.Lock()
        self._pruned = time.monotonic()
        self._closed = self._last = False
        self._thread = threading.Thread(target=self._run, name="otel-kit-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what is waiting, then end."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def counters(self) -> dict[str, int]:
        """Spans, traces, log records and log bytes stored now."""
        return dict(self._ingest.counters.values)

    @contextlib.contextmanager
    def announced(self) -> Iterator[None]:
        """While a batch is made: others wait a little, to share the commit with it."""
        with self._coming_lock:
            self._coming += 1
        try:
            yield
        finally:
            with self._coming_lock:
                self._coming -= 1

    def submit(self, batch: Batch) -> "Future[Rejected]":
        """Have `batch` written; the future gives what the store itself had to reject.

        Raises Unavailable when too much is waiting, TooLarge when it is too big for this store.
        """
        pending = _Pending(batch)
        if pending.size() > self._max_group:
            raise TooLarge(
                "one request may take a tenth of the store; send less or raise --max-size"
            )
        if self._closed:
            raise Unavailable("the collector is shutting down")
        try:
            self._queue.put_nowait(pending)
        except queue.Full:
            raise Unavailable("too much is waiting to be written; try again later") from None
        return pending.done

    def _run(self) -> None:
        self._keep_house()  # the size may be smaller than last time
        while (group := self._next_group()) is not None:
            self._write(group)
            self._keep_house()

    def _next_group(self) -> list[_Pending] | None:
        if self._last and self._held is None:
            return None
        first = self._held or self._queue.get()
        self._held = None
        if first is None:
            return None
        group, size = [first], first.size()
        deadline = time.monotonic() + _GATHER_S
        with contextlib.suppress(queue.Empty):
            while len(group) < GROUP_BATCHES:
                pending = self._soon(deadline)
                if pending is None:
                    self._last = True
                    break
                size += pending.size()
                if size > self._max_group:
                    self._held = pending
                    break
                group.append(pending)
        return group

    def _soon(self, deadline: float) -> _Pending | None:
        """What is waiting, or until `deadline` what is being made; raises queue.Empty."""
        if self._coming and not self._queue.qsize():
            return self._queue.get(timeout=max(deadline - time.monotonic(), 0))
        return self._queue.get_nowait()

    def _write(self, group: list[_Pending]) -> None:
        """Write all in one transaction; if that fails each alone: one must not hurt others."""
        try:
            outcomes = self._commit(group)
        except Exception as error:  # reported to the sender; the thread must live
            if len(group) > 1:
                for pending in group:
                    self._write([pending])
            else:
                group[0].done.set_exception(_as_refusal(error))
            return
        for pending, rejected in zip(group, outcomes, strict=True):
            pending.done.set_result(rejected)

    def _commit(self, group: list[_Pending]) -> list[Rejected]:
        plan = self._plan()
        with self._transaction():
            outcomes = [self._apply(pending.batch, plan) for pending in group]
            self._ingest.traces(p.batch for p in group if isinstance(p.batch, TraceBatch))
            plan.write(self._connection)
        self._metrics.publish(plan)
        return outcomes

    def _plan(self) -> MetricPlan:
        if self._metrics.crowded():
            return self._metrics.plan_eviction(time.time_ns())
        return MetricPlan(self._metrics)

    def _apply(self, batch: Batch, plan: MetricPlan) -> Rejected:
        rejected = Rejected()
        if isinstance(batch, LogBatch):
            self._ingest.logs(batch)
        elif isinstance(batch, PointBatch):
            plan.apply(batch.points, time.time_ns(), rejected)
            plan.apply(batch.targets, time.time_ns(), Rejected())  # nobody sent these
        return rejected

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._ingest.counters.save()
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            self._ingest.reload()
            raise

    def _keep_house(self) -> None:
        """Make room.  While others wait only for `_HOUSEKEEPING_S`, unless the store is full."""
        deadline = time.monotonic() + _HOUSEKEEPING_S
        with contextlib.suppress(sqlite3.Error):  # a failing disk shows at the next write
            while self._tidy_once():
                waiting = self._held is not None or not self._queue.empty()
                late = waiting and time.monotonic() > deadline
                if late and self._retention.excess() < self._max_group:
                    return

    def _tidy_once(self) -> bool:
        """One small step of housekeeping; False when nothing is left to do."""
        chore = self._chore()
        if chore is None:
            return False
        with self._transaction():
            return chore()

    def _chore(self) -> Callable[[], bool] | None:
        retention, ingest = self._retention, self._ingest
        if retention.excess_log_bytes(ingest.counters) > 0:
            return partial(retention.drop_logs, ingest)
        if retention.excess() > 0:
            return partial(retention.drop_traces, ingest)
        if retention.file_too_large():
            return retention.shrink
        if time.monotonic() - self._pruned > _PRUNE_EVERY_S:
            return self._prune
        return None

    def _prune(self) -> bool:
        self._retention.prune_names()
        self._pruned = time.monotonic()
        self._ingest.reload_names()
        return False


def _as_refusal(error: Exception) -> Exception:
    if isinstance(error, Refused):
        return error
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(f"the store cannot be written: {error}")
    return error
