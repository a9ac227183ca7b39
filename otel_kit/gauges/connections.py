"""Queues that a broker is asked about over the connection that consumes from them."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from otel_kit.gauges.readings import Reading
from otel_kit.gauges.watched import MAX_QUEUES, Asked, InUse

Ask = Callable[[Any, "Connection"], Iterable[Reading]]
"""What a connection's broker says of its queues; may block for some seconds, and raise."""


class Connection(Asked):
    """One connection, and the queues that it consumes from."""

    def __init__(self, connection: object, ask: Ask) -> None:
        super().__init__(connection, "a connection's queues")
        self._ask = ask
        self._queues: dict[str, set[object]] = {}

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

    def ask(self, subject: Any) -> Iterable[Reading]:
        return self._ask(subject, self) if self._queues else ()

    def readings(self, now: float) -> Iterable[Reading]:
        return [each for each in super().readings(now) if each.queue.destination in self._queues]


def connections(ask: Ask) -> InUse[Connection]:
    """The connections of one library that consume."""
    return InUse(partial(Connection, ask=ask))
