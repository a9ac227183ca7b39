"""Depth and lag of the streams and lists that a client of redis-py reads, as Redis tells them.

Redis is asked every few seconds by a thread and over a connection of the kit's own, one for each
client that reads: the client's may be blocked in a read, and its pool may be as small as it needs.
"""

import logging
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import ref

import redis
from redis.asyncio import SSLConnection as AsyncSSLConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

from otel_kit.gauges.readings import STALE_INTERVALS, Queue, Reading, Readings, readings
from otel_kit.gauges.sampler import Sampler
from otel_kit.integrations._redis import SYSTEM, sent_at, text

MAX_QUEUES = 100
"""Streams and lists of one client that are watched."""
_PATIENCE = 3.0
"""Seconds that Redis may take to answer."""
_KEPT = ("host", "port", "db", "username", "password", "credential_provider")
_log = logging.getLogger("otel_kit")


class Watched:
    """One client, and what it reads."""

    def __init__(self, client: Any) -> None:
        self._client = ref(client)
        self._pid = os.getpid()
        self._streams: dict[tuple[Any, Any], None] = {}
        self._lists: dict[Any, None] = {}
        self._sampler = Sampler(self._sample, "otel_kit watches a client of Redis")
        self._interval = 0.0
        self._own: Any = None
        self._said: tuple[float, list[Reading]] = (0.0, [])
        self._failed = self._live = False

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

    def watches(self, client: object) -> bool:
        """Whether it is that one, not another that had its address before."""
        return self._client() is client

    # -- a source of readings -------------------------------------------------------------------

    def start(self, interval: float) -> None:
        if os.getpid() == self._pid:  # after a fork the child's own reads begin anew
            self._interval, self._live = interval, True
            self._sampler.start(interval)

    def stop(self) -> None:
        self._live = False
        self._sampler.stop()
        self._disconnect()

    def _disconnect(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()

    def readings(self, now: float) -> Iterable[Reading]:
        at, said = self._said
        fresh = at >= time.monotonic() - STALE_INTERVALS * self._interval
        return said if fresh and os.getpid() == self._pid else []

    def _sample(self) -> None:
        client = self._client()
        if client is None:
            self.stop()
            return
        try:
            own = self._own = self._own or connected(client)
            if own is not None:
                self._said = time.monotonic(), list(self._found(own))
        except Exception:  # no server, or one that does not let us look
            if self._live and not self._failed:
                _log.warning("otel_kit cannot look at Redis' queues (reported once)", exc_info=True)
                self._failed = True
        if not self._live:  # stopped meanwhile
            self._disconnect()

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


class Watching:
    """The clients that read, and have not been closed."""

    def __init__(self, sources: Readings = readings) -> None:
        self._sources = sources
        self._seen: dict[int, Watched] = {}

    def of(self, client: object) -> Watched:
        """The watched client; watched from now on if it is new."""
        found = self._seen.get(id(client))
        if found is None or not found.watches(client):
            self._drop(id(client))
            found = self._seen[id(client)] = Watched(client)
            self._sources.add(found)
            for key, each in list(self._seen.items()):
                if each.watches(None):
                    self._drop(key)
        return found

    def forget(self, client: object) -> None:
        """It was closed: its series end."""
        found = self._seen.get(id(client))
        if found is not None and found.watches(client):
            self._drop(id(client))

    def _drop(self, key: int) -> None:
        if (found := self._seen.pop(key, None)) is not None:
            self._sources.drop(found)


watching = Watching()
