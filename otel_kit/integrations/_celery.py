"""Where Celery's messages go, and how many wait in the queues that a worker reads."""

from collections.abc import Iterable
from contextlib import suppress
from threading import local
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from otel_kit.gauges.readings import Queue, Reading
from otel_kit.gauges.watched import Asked, InUse

SYSTEM = "celery"
_DELAYED = "celery_delayed_"
_DELAY_BITS = 28
"""Parts of a routing key that say how long a quorum queue's message is to wait."""
_brokers: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()


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


class Worker(Asked):
    """The queues that the worker of this process reads."""

    def __init__(self, consumer: object) -> None:
        """`consumer` is the worker's, and knows its queues."""
        super().__init__(consumer, "Celery's queues")
        self._own = local()  # a connection is its thread's, and may keep it waiting

    def ask(self, subject: Any) -> Iterable[Reading]:
        for queue in list(getattr(subject.task_consumer, "queues", ())):
            try:
                depth = self._depth(subject.app, queue.name)
            except Exception as error:  # no broker, no such queue: it costs this sample
                self.ended()
                self.failed(error, f"queue {queue.name}")
            else:
                yield Reading(Queue(SYSTEM, queue.name, ""), depth=depth)

    def _depth(self, app: Any, queue: str) -> int:
        # A connection of its own: asking for a queue that is not there closes the channel.
        if getattr(self._own, "connection", None) is None:
            self._own.connection = app.connection_for_read(connect_timeout=3)
        channel = self._own.connection.default_channel
        if hasattr(channel, "_size"):  # where an empty queue is as good as none, as in Redis
            return int(channel._size(queue))
        return int(channel.queue_declare(queue=queue, passive=True).message_count)

    def ended(self) -> None:
        connection, self._own.connection = getattr(self._own, "connection", None), None
        if connection is not None:
            with suppress(Exception):  # it is gone in any case
                connection.release()


workers = InUse(Worker)
"""Of which a process has one."""
