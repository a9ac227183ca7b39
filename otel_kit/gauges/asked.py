"""Queues that a broker is asked about every few seconds, by a thread of each connection watched."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any
from weakref import ref

from otel_kit.gauges.readings import STALE_INTERVALS, Reading, Readings, readings
from otel_kit.gauges.sampler import Sampler

Ask = Callable[[Any, "Asked"], Iterable[Reading]]
"""What a connection's broker says of its queues; may block for some seconds, and raise."""
MAX_QUEUES = 100
"""Queues of one connection that are watched."""
_log = logging.getLogger("otel_kit")


class Asked:
    """One connection, and the queues that it consumes from."""

    def __init__(self, connection: object, ask: Ask) -> None:
        self._connection = ref(connection)
        self._ask = ask
        self._pid = os.getpid()  # a connection does not survive a fork
        self._queues: dict[str, set[object]] = {}
        self._sampler = Sampler(self._sample, "otel_kit watches a connection's queues")
        self._interval = 0.0
        self._said: tuple[float, list[Reading]] = (0.0, [])
        self._failed = False

    def add(self, queue: str, consumer: object) -> None:
        """It is consumed from; `consumer` tells its consumers apart."""
        if queue in self._queues or len(self._queues) < MAX_QUEUES:
            self._queues.setdefault(queue, set()).add(consumer)

    def drop(self, queue: str, consumer: object) -> None:
        """This consumer is cancelled."""
        consumers = self._queues.get(queue, set())
        consumers.discard(consumer)
        if not consumers:
            self.gone(queue)

    def gone(self, queue: str) -> None:
        """There is no such queue any more."""
        self._queues.pop(queue, None)

    @property
    def queues(self) -> list[str]:
        """Their names."""
        return list(self._queues)

    def watches(self, connection: object) -> bool:
        """Whether it is that one, not another that had its address before."""
        return self._connection() is connection

    # -- a source of readings ---------------------------------------------------------------------

    def start(self, interval: float) -> None:
        if os.getpid() == self._pid:
            self._interval = interval
            self._sampler.start(interval)

    def stop(self) -> None:
        self._sampler.stop()

    def readings(self, now: float) -> Iterable[Reading]:
        at, said = self._said
        fresh = at >= time.monotonic() - STALE_INTERVALS * self._interval
        known = self._queues if fresh and os.getpid() == self._pid else {}
        return [each for each in said if each.queue.destination in known]

    def _sample(self) -> None:
        connection, queues = self._connection(), self.queues
        if connection is None:
            self._sampler.stop()
        elif queues:
            try:
                self._said = time.monotonic(), list(self._ask(connection, self))
            except TimeoutError:  # the application is busy; what was said last ages
                pass
            except Exception:  # closed meanwhile, no broker: it costs this sample
                _log.log(
                    logging.DEBUG if self._failed else logging.WARNING,
                    "otel_kit cannot ask for the depth of %s (reported once)",
                    ", ".join(queues)[:200],
                    exc_info=True,
                )
                self._failed = True


class Connections:
    """The connections of one library that consume, and have not been closed."""

    def __init__(self, ask: Ask, sources: Readings = readings) -> None:
        self._ask = ask
        self._sources = sources
        self._seen: dict[int, Asked] = {}

    def of(self, connection: object) -> Asked:
        """The watched connection; watched from now on if it is new."""
        found = self._seen.get(id(connection))
        if found is None or not found.watches(connection):
            self.forget(connection)
            found = self._seen[id(connection)] = Asked(connection, self._ask)
            self._sources.add(found)
            for key in [key for key, each in self._seen.items() if each.watches(None)]:
                self._sources.drop(self._seen.pop(key))
        return found

    def forget(self, connection: object) -> None:
        """It was closed: its series end."""
        if (found := self._seen.pop(id(connection), None)) is not None:
            self._sources.drop(found)
