"""Depth and lag of the consumers of streams that this process reads, as JetStream tells them.

It is asked every few seconds over the application's own connection, by the subscription's own
`consumer_info()`: one small request that waits for nobody.  Every instance sees the same, so a
reading is that of the queue `stream/consumer`, not of a group's member.  A consumer whose name
nobody has given is not watched.
"""

import asyncio
import logging
import os
import time
from collections.abc import Iterable
from typing import Any
from weakref import ref

from nats.errors import ConnectionClosedError

from otel_kit.gauges.readings import STALE_INTERVALS, Queue, Reading, readings
from otel_kit.gauges.sampler import Sampler, on_loop
from otel_kit.integrations._nats import SYSTEM

MAX_WATCHED = 100
"""Consumers that are watched at once: each has a thread."""
_PATIENCE = 3.0
"""Seconds that the server may take to answer."""
_log = logging.getLogger("otel_kit")


class Watched:
    """One subscription to a consumer of a stream; begun in the event loop that it lives in."""

    def __init__(self, subscription: Any, name: str) -> None:
        self._subscription = ref(subscription)
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._sampler = Sampler(self.sample, f"otel_kit watches {name}")
        self._interval = 0.0
        self._said: tuple[float, Reading] | None = None

    @property
    def gone(self) -> bool:
        """Whether nobody has the subscription any more."""
        return self._subscription() is None

    def start(self, interval: float) -> None:
        if os.getpid() == self._pid:  # a connection does not survive a fork
            self._interval = interval
            self._sampler.start(interval)

    def stop(self) -> None:
        self._sampler.stop()
        self._said = None

    def readings(self, now: float) -> Iterable[Reading]:
        if (said := self._said) is None or os.getpid() != self._pid:
            return []
        fresh = said[0] >= time.monotonic() - STALE_INTERVALS * self._interval
        return [said[1]] if fresh else []

    def sample(self) -> None:
        """Ask once.  No answer costs this sample."""
        subscription = self._subscription()
        if subscription is None or self._loop.is_closed():
            self.stop()
            return
        try:
            info = on_loop(self._loop, subscription.consumer_info, _PATIENCE)
        except ConnectionClosedError:
            self.stop()
        except Exception:  # no server, or no such consumer any more
            _log.debug("otel_kit cannot look at %s", self._name, exc_info=True)
        else:
            waiting, unacknowledged = info.num_pending or 0, info.num_ack_pending or 0
            queue = Queue(SYSTEM, self._name, "")
            lag = waiting + unacknowledged
            self._said = time.monotonic(), Reading(queue, depth=waiting, lag=lag)


_watched: dict[str, dict[int, Watched]] = {}
"""By the queue's name and the inner subscription; of each queue the first is asked."""


def watch(subscription: Any, group: str) -> None:
    """Watch it until `forget`, unless another subscription is watched that sees the same."""
    name = f"{subscription._stream}/{group}"
    for each in list(_watched.values()):
        for key, watched in list(each.items()):
            if watched.gone:
                forget(key)
    if name not in _watched and len(_watched) >= MAX_WATCHED:
        return
    same = _watched.setdefault(name, {})
    if id(subscription._sub) not in same:
        same[id(subscription._sub)] = Watched(subscription, name)
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
