"""Depth and lag of the streams and lists that a client of redis-py reads, as Redis tells them.

Redis is asked every few seconds by a thread and over a connection of the kit's own, one for each
client that reads: the client's may be blocked in a read, and its pool may be as small as it needs.
"""

import time
from collections.abc import Iterable, Iterator
from threading import local
from typing import Any

import redis
from redis.asyncio import SSLConnection as AsyncSSLConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

from otel_kit.gauges.readings import Queue, Reading
from otel_kit.gauges.watched import MAX_QUEUES, Asked, InUse
from otel_kit.integrations._redis import SYSTEM, sent_at, text

_PATIENCE = 3.0
"""Seconds that Redis may take to answer."""
_KEPT = ("host", "port", "db", "username", "password", "credential_provider")


class Client(Asked):
    """One client, and what it reads."""

    def __init__(self, client: object) -> None:
        super().__init__(client, "Redis' queues")
        self._streams: dict[tuple[Any, Any], None] = {}
        self._lists: dict[Any, None] = {}
        self._own = local()  # a connection of the thread that asks, and closes it

    def reads(self, streams: Iterable[Any], group: Any) -> None:
        """The client reads these streams as a member of `group`."""
        for stream in streams:
            if len(self._streams) < MAX_QUEUES:
                self._streams[stream, group] = None

    def pops(self, lists: Iterable[Any]) -> None:
        """The client takes messages from these lists."""
        for each in lists:
            if len(self._lists) < MAX_QUEUES:
                self._lists[each] = None

    def ask(self, subject: Any) -> Iterable[Reading]:
        own = getattr(self._own, "client", None) or connected(subject)
        self._own.client = own
        return () if own is None else self._found(own)

    def ended(self) -> None:
        if (own := getattr(self._own, "client", None)) is not None:
            own.close()

    def _found(self, own: Any) -> Iterator[Reading]:
        streams: dict[str, Reading] = {}
        for stream, group in list(self._streams):
            found = of_stream(own, stream, text(group))
            streams[text(stream)] = max(found, streams.get(text(stream), found), key=_lag)
        yield from streams.values()
        for each in list(self._lists):
            yield Reading(Queue(SYSTEM, text(each), ""), depth=own.llen(each))


def connected(client: Any) -> Any:
    """A client of the kit's own of the same server; None if that is not one server."""
    pool = getattr(client, "connection_pool", None)
    given = getattr(pool, "connection_kwargs", {})
    if pool is None or not ("host" in given or "path" in given):
        return None
    kept = {name: given[name] for name in given if name in _KEPT or name.startswith("ssl_")}
    tls = issubclass(pool.connection_class, (redis.SSLConnection, AsyncSSLConnection))
    return redis.Redis(
        **kept,
        unix_socket_path=given.get("path"),
        ssl=tls,
        retry=Retry(NoBackoff(), 0),  # the next sample is soon enough
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
    )


def of_stream(own: Any, stream: Any, group: str) -> Reading:
    """What a group has not read yet, and not acknowledged.

    Every instance sees the same, so the reading is that of the stream, not of a group's member.
    """
    queue = Queue(SYSTEM, text(stream), "")
    about = next((each for each in own.xinfo_groups(stream) if text(each["name"]) == group), None)
    if about is None:
        return Reading(queue)
    waiting, last = about.get("lag"), about["last-delivered-id"]
    pending = own.xpending(stream, group)
    unread = [entry for entry, _ in own.xrange(stream, min=last, count=2) if entry != last]
    oldest = [*([pending["min"]] if pending["pending"] else ()), *unread[:1]]
    since = [at for at in map(sent_at, oldest) if at is not None]
    return Reading(
        queue,
        depth=waiting,
        lag=None if waiting is None else waiting + pending["pending"],
        lag_time=max(0.0, time.time() - min(since)) if since else None if oldest else 0.0,
    )


def _lag(reading: Reading) -> float:
    return -1 if reading.lag is None else reading.lag


watching = InUse(Client)
