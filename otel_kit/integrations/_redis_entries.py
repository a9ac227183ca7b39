"""Entries of a stream as they are read: a list is a loop; what the kit has added is taken out."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from otel_kit.hops import Hop, current, incoming
from otel_kit.hops.carriers import Fields
from otel_kit.hops.latest import Latest
from otel_kit.hops.propagation import FIELDS
from otel_kit.integrations._inbound import Batch
from otel_kit.integrations._redis import REMEMBERED, SYSTEM, ByClient, sent_at, text
from otel_kit.names import SERVER_TIMING


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


_delivered: Latest[_Delivery] = Latest(REMEMBERED)
"""By the very object that is an entry's id: the entry is a plain tuple, and may be large."""


def received(entry: Any) -> Hop | None:
    """The hop of an entry that was read; None of any other pair."""
    delivery = _delivered.get(entry[0]) if entry else None
    return None if delivery is None else delivery.hop(entry[0])


def taken_out(fields: dict[Any, Any]) -> dict[str, str]:
    """The context among the fields of an entry; what the kit has added is taken out of it."""
    runtime, view = current(), Fields(fields)
    known = FIELDS if runtime is None else (*FIELDS, *sorted(runtime.propagator.fields - {*FIELDS}))
    context = {name: view[name] for name in (*known, SERVER_TIMING) if name in view}
    for name in view.added(known) if view.MARK in view else ():
        view.pop(name, None)
    return context


class Reading:
    """A command that reads entries, by which client; called with the reply, it gives that reply.

    In it each list of entries is a loop, and the entries are what the application has added.
    """

    def __init__(
        self,
        client: Any,
        *,
        stream: Any = None,
        group: Any = None,
        handled: bool = True,
    ) -> None:
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

        loop = ByClient(describe, self._client)
        return Batch(entries, loop, self._client)

    def _deliveries(self, entries: list[Any], stream: str) -> Iterator[tuple[int, _Delivery]]:
        for entry in entries:
            # Of an entry that was deleted meanwhile there are no fields.
            if isinstance(entry, tuple) and isinstance(entry[1], dict) and entry[1]:
                delivery = _Delivery(stream, self._group, taken_out(entry[1]))
                if self._handled:
                    _delivered.put(entry[0], delivery)
                yield id(entry[0]), delivery
