"""Depth and lag of the consumers of streams that this process reads, as JetStream tells them.

It is asked every few seconds over the application's own connection, by the subscription's own
`consumer_info()`: one small request that waits for nobody.  Every instance sees the same, so a
reading is that of the queue `stream/consumer`, not of a group's member.  A consumer whose name
nobody has given is not watched.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from nats.errors import ConnectionClosedError

from otel_kit.gauges.readings import Queue, Reading, readings
from otel_kit.gauges.sampler import on_loop
from otel_kit.gauges.watched import Asked
from otel_kit.integrations._nats import SYSTEM

MAX_WATCHED = 100
"""Consumers that are watched at once: each has a thread."""
_PATIENCE = 3.0
"""Seconds that the server may take to answer."""


class Subscription(Asked):
    """One subscription to a consumer of a stream; begun in the event loop that it lives in."""

    def __init__(self, subscription: object, name: str) -> None:
        super().__init__(subscription, name)
        self._name = name
        self._loop = asyncio.get_running_loop()

    def ask(self, subject: Any) -> Iterable[Reading]:
        if self._loop.is_closed():
            self.stop()
            return
        try:
            info = on_loop(self._loop, subject.consumer_info, _PATIENCE)
        except ConnectionClosedError:
            self.stop()
            return
        waiting, unacknowledged = info.num_pending or 0, info.num_ack_pending or 0
        queue = Queue(SYSTEM, self._name, "")
        yield Reading(queue, depth=waiting, lag=waiting + unacknowledged)


_watched: dict[str, dict[int, Subscription]] = {}
"""By the queue's name and the inner subscription; of each queue the first is asked."""


def watch(subscription: Any, group: str) -> None:
    """Watch it until `forget`, unless another subscription is watched that sees the same."""
    name = f"{subscription._stream}/{group}"
    for each in list(_watched.values()):
        for key, watched in list(each.items()):
            if watched.watches(None):
                forget(key)
    if name not in _watched and len(_watched) >= MAX_WATCHED:
        return
    same = _watched.setdefault(name, {})
    if id(subscription._sub) not in same:
        same[id(subscription._sub)] = Subscription(subscription, name)
        readings.add(next(iter(same.values())))


def forget(key: int) -> None:
    """The subscription with that id was closed: another goes on, or the series end."""
    for name, same in list(_watched.items()):
        if (found := same.pop(key, None)) is not None:
            readings.drop(found)
            if same:
                readings.add(next(iter(same.values())))
            else:
                del _watched[name]
