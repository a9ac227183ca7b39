"""What hops of redis-py share: its errors and addresses, entries of a stream, pipelines."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from redis import cluster, exceptions
from redis.asyncio import cluster as asyncio_cluster
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

from otel_kit.errors import ErrorClass
from otel_kit.hops import Hop, current, incoming
from otel_kit.hops.carriers import Fields
from otel_kit.hops.latest import Latest
from otel_kit.hops.propagation import FIELDS
from otel_kit.integrations._inbound import Batch, Loop
from otel_kit.integrations._shape import Integration

SYSTEM = "redis"
ERRORS: dict[type[BaseException], ErrorClass] = {
    exceptions.TimeoutError: ErrorClass.TIMEOUT,
    exceptions.ConnectionError: ErrorClass.CONNECTION,
    exceptions.AuthenticationError: ErrorClass.CLIENT_ERROR,
    exceptions.ResponseError: ErrorClass.CLIENT_ERROR,
    exceptions.DataError: ErrorClass.SERIALIZATION,
    exceptions.WatchError: ErrorClass.CANCELLED,
    **dict.fromkeys(
        (
            exceptions.BusyLoadingError,
            exceptions.ClusterDownError,
            exceptions.ReadOnlyError,
            exceptions.TryAgainError,
            exceptions.OutOfMemoryError,
        ),
        ErrorClass.UNAVAILABLE,
    ),
}
PIPELINES = (
    Pipeline,
    AsyncPipeline,
    cluster.ClusterPipeline,
    asyncio_cluster.ClusterPipeline,
)
_REMEMBERED = 10_000
_A_TIME = 10**12
"""An id that begins with less is no time in milliseconds: somebody counts by himself."""


def text(raw: Any) -> str:
    """A key, a group or an id, however the application or the library has it."""
    return bytes(raw).decode(errors="replace") if isinstance(raw, (bytes, memoryview)) else str(raw)


def broker(client: Any) -> str | None:
    """`host:port` of a client that has one server."""
    pool = getattr(client, "connection_pool", None)
    at = getattr(pool, "connection_kwargs", {})
    return f"{at['host']}:{at.get('port', 6379)}" if "host" in at else None


def sent_at(entry: Any) -> float | None:
    """When an entry of this id was added, in seconds since the epoch, if its id tells."""
    milliseconds = text(entry).partition("-")[0]
    told = milliseconds.isdigit() and int(milliseconds) >= _A_TIME
    return int(milliseconds) / 1000 if told else None


# -- entries of a stream --------------------------------------------------------------------------


class _Delivery(NamedTuple):
    stream: str
    group: str | None
    context: dict[str, str]

    def hop(self, entry: Any) -> Hop:
        return incoming(
            SYSTEM,
            self.stream,
            carrier=self.context,
            sent_at=sent_at(entry),
            group=self.group,
            message_id=text(entry),
            delivery=entry,
        )


_delivered: Latest[_Delivery] = Latest(_REMEMBERED)
"""By the very object that is an entry's id: the entry is a plain tuple, and may be large."""


def received(entry: Any) -> Hop | None:
    """The hop of an entry that was read; None of any other pair."""
    delivery = _delivered.get(entry[0]) if entry else None
    return None if delivery is None else delivery.hop(entry[0])


def taken_out(fields: dict[Any, Any]) -> dict[str, str]:
    """The context among the fields of an entry; what the kit has added is taken out of it."""
    runtime, view = current(), Fields(fields)
    known = FIELDS if runtime is None else (*FIELDS, *sorted(runtime.propagator.fields - {*FIELDS}))
    context = {name: view[name] for name in known if name in view}
    for name in view.added(known) if view.MARK in view else ():
        view.pop(name, None)
    return context


class _ByClient(Loop):
    """Whoever has a client's next entry has done with the one before, whichever list has it."""

    def __init__(self, integration: Integration, describe: Any, client: Any) -> None:
        super().__init__(integration, describe)
        self._client = client

    def asked(self, consumer: Any) -> None:
        super().asked(self._client)

    def closed(self, consumer: Any) -> None:
        super().closed(self._client)

    def hands_out(self, message: Any, consumer: Any, source: Any = None) -> Any:
        return super().hands_out(message, consumer)


class Reading:
    """A command that reads entries, by which client; called with the reply, it gives that reply.

    In it each list of entries is a loop, and the entries are what the application has added.
    """

    def __init__(
        self,
        integration: Integration,
        client: Any,
        *,
        stream: Any = None,
        group: Any = None,
        handled: bool = True,
    ) -> None:
        self._integration = integration
        self._client = client
        self._stream = None if stream is None else text(stream)
        self._group = None if group is None else text(group)
        self._handled = handled

    def __call__(self, reply: Any) -> Any:
        if isinstance(reply, dict):  # by stream, or (RESP3) something else again
            for stream, entries in reply.items():
                reply[stream] = self._entries(entries, text(stream))
        elif isinstance(reply, list) and self._stream is None:
            for each in reply:
                each[1] = self._entries(each[1], text(each[0]))
        elif isinstance(reply, list) and len(reply) > 1 and isinstance(reply[1], list):
            reply[1] = self._entries(reply[1], str(self._stream))  # XAUTOCLAIM: after a cursor
        elif isinstance(reply, list):
            return self._entries(reply, str(self._stream))
        return reply

    def _entries(self, entries: Any, stream: str) -> Any:
        if not isinstance(entries, list) or not entries:
            return entries
        if isinstance(entries[0], list):  # RESP3 before redis-py 8 has one list more
            return [self._entries(entries[0], stream), *entries[1:]]
        found = dict(self._deliveries(entries, stream))
        if not self._handled or not found:
            return entries

        def describe(entry: Any, _client: Any) -> Hop | None:
            delivery = found.get(id(entry[0]))
            return None if delivery is None else delivery.hop(entry[0])

        loop = _ByClient(self._integration, describe, self._client)
        return Batch(entries, loop, self._client)

    def _deliveries(self, entries: list[Any], stream: str) -> Iterator[tuple[int, _Delivery]]:
        for entry in entries:
            if isinstance(entry, tuple) and isinstance(entry[1], dict):  # else deleted meanwhile
                delivery = _Delivery(stream, self._group, taken_out(entry[1]))
                if self._handled:
                    _delivered.put(entry[0], delivery)
                yield id(entry[0]), delivery


# -- pipelines ------------------------------------------------------------------------------------

Conclude = Callable[[Any], Any]
"""Takes the reply to a command, or the exception there was, and gives what to make of it."""
Commands = list[tuple[int, Conclude]]
"""Of a pipeline: the position of each, and what waits for its reply."""


class Waiting:
    """Commands that a pipeline has, each with what waits for its reply."""

    def __init__(self) -> None:
        self._added: WeakKeyDictionary[Any, Commands] = WeakKeyDictionary()
        self._executing: WeakKeyDictionary[Any, Commands] = WeakKeyDictionary()

    def add(self, pipeline: Any, conclude: Conclude) -> None:
        """`conclude` waits for the reply to the latest command of `pipeline`."""
        self._added.setdefault(pipeline, []).append((len(pipeline) - 1, conclude))

    def execute(self, pipeline: Any) -> Commands:
        """Its commands are executed: the position of each, and what waits for its reply."""
        commands = self._executing[pipeline] = self.throw_away(pipeline)
        return commands

    def executing(self, pipeline: Any) -> Commands:
        """Those that have been executed last."""
        return self._executing.get(pipeline, [])

    def throw_away(self, pipeline: Any) -> Commands:
        """Those that it has, and has no longer."""
        return self._added.pop(pipeline, [])

    def any(self, pipeline: Any) -> bool:
        """Whether any command of the pipeline is waited for."""
        return pipeline in self._added
