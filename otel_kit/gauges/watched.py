"""Sources of readings with a thread each: it looks at a client or a connection, and its queues."""

import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar
from weakref import ref

from otel_kit.gauges.readings import STALE_INTERVALS, Queue, Reading, Readings, readings
from otel_kit.gauges.sampler import Sampler

MAX_QUEUES = 100
"""Queues of one connection that are watched."""
_log = logging.getLogger("otel_kit")


class Watched(ABC):
    """A source that looks at `subject` every few seconds, for as long as somebody else has it."""

    least: ClassVar[float] = 0.0
    """Seconds between two looks, however often metrics are exported: where a look has its price."""

    def __init__(self, subject: object, what: str) -> None:
        """`what` it is that is looked at, for the thread's name and the log."""
        self._subject = ref(subject)
        self._what = what
        self._pid = os.getpid()
        self._interval = 0.0
        self._sampler = Sampler(self.sample, f"otel_kit watches {what}", self.ended)

    def watches(self, subject: object) -> bool:
        """Whether it is that one, not another that had its address before."""
        return self._subject() is subject

    @property
    def here(self) -> bool:
        """Whether this is the process that the subject lives in: none survives a fork."""
        return os.getpid() == self._pid

    def start(self, interval: float) -> None:
        if self.here:
            self._interval = max(interval, self.least)
            self._sampler.start(self._interval)

    def stop(self) -> None:
        self._sampler.stop()

    def sample(self) -> None:
        """Look once; what goes wrong costs this sample."""
        subject = self._subject()
        if subject is None:
            self._sampler.stop()
            return
        try:
            self.look(subject)
        except TimeoutError:  # the application is busy
            pass
        except Exception as error:  # closed meanwhile, no broker
            self.failed(error)

    @abstractmethod
    def look(self, subject: Any) -> None:
        """What is done for each sample, in a thread of its own: may block, and raise."""

    def failed(self, error: Exception) -> None:
        """It has raised that."""
        _log.debug("otel_kit cannot look at %s", self._what, exc_info=error)

    def ended(self) -> None:  # noqa: B027 - most have opened nothing
        """The thread looks no more, and closes what it has opened."""

    @abstractmethod
    def readings(self, now: float) -> Iterable[Reading]:
        """See `Source`."""


class Asked(Watched):
    """One that is asked; what it has said of a queue holds until it is too old."""

    def __init__(self, subject: object, what: str) -> None:
        super().__init__(subject, what)
        self._said: dict[Queue, tuple[float, Reading]] = {}
        self._reported: set[str] = set()

    @abstractmethod
    def ask(self, subject: Any) -> Iterable[Reading]:
        """What is so now; may block for some seconds, and raise."""

    def look(self, subject: Any) -> None:
        self._said = self._fresh()
        for reading in self.ask(subject):
            self._said[reading.queue] = time.monotonic(), reading

    def readings(self, now: float) -> Iterable[Reading]:
        return [reading for _, reading in self._fresh().values()] if self.here else []

    def _fresh(self) -> dict[Queue, tuple[float, Reading]]:
        oldest = time.monotonic() - STALE_INTERVALS * self._interval
        return {queue: said for queue, said in self._said.copy().items() if said[0] >= oldest}

    def stop(self) -> None:
        super().stop()
        self._said.clear()

    def failed(self, error: Exception, what: str | None = None) -> None:
        """Say it once of each `what`: of all that is looked at, or of a queue."""
        what = what or self._what
        if not self._sampler.stopped:
            level = logging.DEBUG if what in self._reported else logging.WARNING
            self._reported.add(what)
            _log.log(level, "otel_kit cannot look at %s (reported once)", what, exc_info=error)


W = TypeVar("W", bound=Watched)


class InUse(Generic[W]):
    """What watches those that the application uses, and has not closed."""

    def __init__(self, make: Callable[[Any], W], sources: Readings = readings) -> None:
        self._make = make
        self._sources = sources
        self._seen: dict[int, W] = {}

    def of(self, subject: object) -> W:
        """What watches `subject`; from now on if it is new."""
        found = self._seen.get(id(subject))
        if found is None or not found.watches(subject):
            self.forget(subject)
            found = self._seen[id(subject)] = self._make(subject)
            self._sources.add(found)
            self._sweep()
        return found

    def forget(self, subject: object) -> None:
        """It was closed: its series end."""
        self._drop(id(subject))

    def clear(self) -> None:
        """None is used any more."""
        for key in list(self._seen):
            self._drop(key)

    def _drop(self, key: int) -> None:
        if (found := self._seen.pop(key, None)) is not None:
            self._sources.drop(found)

    def _sweep(self) -> None:
        # Not in a finalizer: those run in the garbage collector, in the midst of anything.
        for key, found in list(self._seen.items()):
            if found.watches(None):
                self._drop(key)
