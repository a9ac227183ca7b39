"""Where Celery's messages go, and how many wait in the queues that a worker reads."""

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from threading import local
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, ref

from otel_kit.gauges.readings import STALE_INTERVALS, Queue, Reading, readings
from otel_kit.gauges.sampler import Sampler

SYSTEM = "celery"
_DELAYED = "celery_delayed_"
_DELAY_BITS = 28
"""Parts of a routing key that say how long a quorum queue's message is to wait."""
_brokers: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()
_log = logging.getLogger("otel_kit")


def destination(exchange: Any, routing_key: Any) -> str:
    """The queue; `{exchange}:{routing key}` where the exchange decides which queues that is."""
    name, key = str(getattr(exchange, "name", exchange) or ""), str(routing_key or "")
    if name.startswith(_DELAYED):
        return key.split(".", _DELAY_BITS)[-1]
    if not name or name == key:
        return key
    return f"{name}:{key}" if key else name


def broker(app: Any) -> str | None:
    """`host:port` of the broker that an application writes to, the first if there are several."""
    if app not in _brokers:
        _brokers[app] = _address(app.conf.broker_write_url or app.conf.broker_url)
    return _brokers[app]


def _address(url: Any) -> str | None:
    first = str(url[0] if isinstance(url, (list, tuple)) and url else url or "").split(";")[0]
    parts = urlsplit(first)
    if not parts.hostname:
        return None
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname


class _Watching:
    """The queues of the worker of this process, of which there is one."""

    def __init__(self) -> None:
        self._consumer: ref[Any] | None = None
        self._sampler = Sampler(self._sample, "otel_kit watches Celery's queues", self._disconnect)
        self._pid, self._live = 0, False
        self._interval = 0.0
        self._own = local()  # a connection is its thread's, and may keep it waiting
        self._said: dict[str, tuple[float, int]] = {}
        self._failed: set[str] = set()

    def watch(self, consumer: Any) -> None:
        """`consumer` is the worker's, and knows its queues."""
        self._consumer, self._pid, self._live = ref(consumer), os.getpid(), True
        readings.add(self)

    # -- a source of readings -------------------------------------------------------------------

    def start(self, interval: float) -> None:
        if os.getpid() == self._pid:  # the processes of a pool read no queues
            self._interval = interval
            self._sampler.start(interval)

    def stop(self) -> None:
        self._live = False
        self._sampler.stop()
        self._said.clear()

    def readings(self, now: float) -> Iterable[Reading]:
        oldest = time.monotonic() - STALE_INTERVALS * self._interval
        said = self._said.copy().items() if os.getpid() == self._pid else ()
        return [
            Reading(Queue(SYSTEM, queue, ""), depth=depth)
            for queue, (at, depth) in said
            if at >= oldest
        ]

    def _sample(self) -> None:
        consumer: Any = None if self._consumer is None else self._consumer()
        tasks = getattr(consumer, "task_consumer", None)
        for queue in list(getattr(tasks, "queues", ())):
            try:
                self._said[queue.name] = time.monotonic(), self._depth(consumer.app, queue.name)
            except Exception:  # no broker, no such queue: it costs this sample
                self._disconnect()
                self._broke(queue.name)

    def _broke(self, queue: str) -> None:
        if self._live and queue not in self._failed:
            self._failed.add(queue)
            text = "otel_kit cannot read the depth of queue %s (reported once)"
            _log.warning(text, queue, exc_info=True)

    def _depth(self, app: Any, queue: str) -> int:
        # A connection of its own: asking for a queue that is not there closes the channel.
        if getattr(self._own, "connection", None) is None:
            self._own.connection = app.connection_for_read(connect_timeout=3)
        channel = self._own.connection.default_channel
        if hasattr(channel, "_size"):  # where an empty queue is as good as none, as in Redis
            return int(channel._size(queue))
        return int(channel.queue_declare(queue=queue, passive=True).message_count)

    def _disconnect(self) -> None:
        connection, self._own.connection = getattr(self._own, "connection", None), None
        if connection is not None:
            with suppress(Exception):  # it is gone in any case
                connection.release()


watching = _Watching()
