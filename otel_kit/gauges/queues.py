"""`watch_queue()`: depth and lag of any queue that the application can ask about."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, Final, Self

from otel_kit.exceptions import InvalidSetting
from otel_kit.gauges.readings import STALE_INTERVALS, Queue, Reading, readings
from otel_kit.gauges.sampler import Sampler, on_loop

Measure = Callable[[], float | None] | Callable[[], Awaitable[float | None]]
MAX_WATCHED: Final = 100
"""Queues watched at once: each has a thread."""
PATIENCE: Final = 5.0
"""Seconds after which a coroutine function is cancelled."""
_MAX_NAME: Final = 200
_log = logging.getLogger("otel_kit")


class QueueWatch:
    """A queue that is being watched, until `stop()`; also a context manager."""

    def __init__(self, source: "_Watched | None") -> None:
        self._source = source

    def stop(self) -> None:
        """Watch no more: the series end.  Waits for nothing, and twice does no harm."""
        if self._source is not None:
            _forget(self._source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def watch_queue(
    name: str,
    *,
    depth: Measure | None = None,
    lag: Measure | None = None,
    lag_time: Measure | None = None,
    transport: str = "queue",
    group: str = "",
) -> QueueWatch:
    """Report the gauges of a queue that no integration knows, until the handle's `stop()`.

    `depth` gives the messages waiting in the queue, `lag` those that this process's consumers have
    not handled yet, `lag_time` the age in seconds of the oldest of them; at least one is needed.
    Each is called every few seconds (as often as metrics are exported, five at most) on a thread of
    this queue, so it may block; a coroutine function runs on the event loop that `watch_queue()`
    was called in, and is cancelled after five seconds.  None, a negative number and an exception
    give no value.  What has no newer value for three samples is no longer reported.  A queue that
    is watched again is watched by the new functions alone.

    Raises InvalidSetting without a name or without a function.
    """
    measures = {"depth": depth, "lag": lag, "lag_time": lag_time}
    given = {field: measure for field, measure in measures.items() if measure is not None}
    if not name or not all(map(callable, given.values())) or not given:
        raise InvalidSetting(
            "watch_queue() needs a name and at least one function: depth, lag or lag_time."
        )
    queue = Queue(transport[:_MAX_NAME], name[:_MAX_NAME], group[:_MAX_NAME])
    if (before := _watched.get(queue)) is not None:
        _forget(before)
    if len(_watched) >= MAX_WATCHED:
        _log.warning("otel_kit does not watch %s: it watches %d queues", queue, MAX_WATCHED)
        return QueueWatch(None)
    source = _watched[queue] = _Watched(queue, given)
    readings.add(source)
    return QueueWatch(source)


class _Watched:
    """Calls the functions, and remembers what they said when."""

    def __init__(self, queue: Queue, measures: Mapping[str, Measure]) -> None:
        self.queue = queue
        self._measures = measures
        self._loop = _running_loop()
        self._sampler = Sampler(self._sample, f"otel_kit watches {queue.destination}")
        self._interval = 0.0
        self._said: dict[str, tuple[float, float]] = {}
        self._failed: set[str] = set()

    def start(self, interval: float) -> None:
        self._interval = interval
        self._sampler.start(interval)

    def stop(self) -> None:
        self._sampler.stop()
        self._said.clear()

    def readings(self, now: float) -> Iterable[Reading]:
        oldest = time.monotonic() - STALE_INTERVALS * self._interval
        fresh = {field: value for field, (value, at) in self._said.copy().items() if at >= oldest}
        return [Reading(self.queue, **fresh)] if fresh else []

    def _sample(self) -> None:
        for field, measure in self._measures.items():
            try:
                value = self._value(measure)
            except Exception as error:  # the application's function; the next sample may do better
                self._broke(field, error)
            else:
                self._take(field, value)

    def _value(self, measure: Callable[[], Any]) -> Any:
        if iscoroutinefunction(measure):
            return on_loop(self._running(), measure, PATIENCE)
        value = measure()
        return on_loop(self._running(), lambda: value, PATIENCE) if iscoroutine(value) else value

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("call watch_queue() in the event loop that is to run the function")
        return self._loop

    def _take(self, field: str, value: Any) -> None:
        if value is None or not math.isfinite(value) or value < 0:
            self._said.pop(field, None)
        else:
            self._said[field] = (float(value), time.monotonic())

    def _broke(self, field: str, error: Exception) -> None:
        if field not in self._failed:
            self._failed.add(field)
            what = f"the {field} of queue {self.queue.destination}"
            _log.warning("otel_kit cannot read %s (reported once)", what, exc_info=error)


_watched: dict[Queue, _Watched] = {}


def _forget(source: _Watched) -> None:
    if _watched.get(source.queue) is source:
        del _watched[source.queue]
    readings.drop(source)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
