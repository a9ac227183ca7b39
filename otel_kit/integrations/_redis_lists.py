"""
redis-py's lists as queues, whose values have no headers: hops only where the user says so.

`OTEL_KIT_ENVELOPES=redis-list:jobs` names lists the values of which are pushed with their context
in front, in an envelope.  Whoever pops one must have the kit, which takes it off.  A value that was
popped, or moved, is handled until the client pops the next.  One that was moved (`BLMOVE`, …) is
found by `LREM` as the application knows it; `LRANGE` shows it as it lies in Redis.
"""

from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from otel_kit.hops import ActiveHop, Hop, incoming
from otel_kit.hops.envelope import unwrap
from otel_kit.integrations._inbound import Batch
from otel_kit.integrations._redis import SYSTEM, ByClient, integration, text
from otel_kit.integrations._redis_envelopes import a_send, enclosed, opted
from otel_kit.integrations._redis_pipelines import replied, sent
from otel_kit.integrations._redis_queues import watching
from otel_kit.integrations._shape import Call

LIST = "redis-list"
_LISTS = "redis.commands.core:ListCommands"
_KEYS = "redis.commands.core:BasicKeyCommands"
_PUSHES = ("lpush", "rpush", "lpushx", "rpushx")
_MOVED = 1000


def enclose_values(hop: ActiveHop, call: Call) -> None:
    call.map_rest("values", lambda value: enclosed(value, hop.hop))


@integration.sends(*(f"{_LISTS}.{each}" for each in _PUSHES), ends=sent, begun=enclose_values)
def push(call: Call) -> Hop | None:
    return a_send(LIST, call["name"], call.instance)


class _Popper:
    """Stands for a client where it pops: streams it reads are another loop."""


_poppers: WeakKeyDictionary[Any, _Popper] = WeakKeyDictionary()
_moved: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
"""What lies in a list that a value was moved to, by the list and the value as it was handed out."""


class _Pop:
    """A command that pops; called with the reply, it gives that with the values as they were."""

    def __init__(self, call: Call, *lists: Any, moves_to: Any = None) -> None:
        self._popper = _poppers.setdefault(call.instance, _Popper())
        self._first = text(lists[0]) if lists else ""
        self._moves_to = None if moves_to is None else text(moves_to)
        integration.loops.asked_again(self._popper)
        queues = [each for each in lists if opted(LIST, each)]
        if queues:
            watching.of(call.instance).pops(queues)

    def __call__(self, reply: Any) -> Any:
        if isinstance(reply, (str, bytes)):
            return self._one(self._first, reply)
        if isinstance(reply, (list, tuple)) and reply:
            return self._several(self._first, list(reply))
        return reply

    def _one(self, name: str, value: Any) -> Any:
        found, hop = self._opened(name, value)
        return ByClient(lambda *_: hop, self._popper).hands_out(found, self._popper)

    def _several(self, name: str, values: list[Any]) -> Any:
        opened = [self._opened(name, value) for value in values]
        hops = {id(value): hop for value, hop in opened}
        loop = ByClient(lambda value, _: hops.get(id(value)), self._popper)
        return Batch([value for value, _ in opened], loop, self._popper)

    def _opened(self, name: str, value: Any) -> tuple[Any, Hop | None]:
        """The value out of its envelope, and its hop if it is a message."""
        found, context = unwrap(value)
        if not context and not opted(LIST, name):
            return value, None
        if self._moves_to is not None and found is not value:
            _moved[self._moves_to, _bytes(found)] = value
            if len(_moved) > _MOVED:
                _moved.popitem(last=False)
        return found, incoming(SYSTEM, name, carrier=context)


class _PopOfAny(_Pop):
    """One of several lists, which the reply names."""

    def __call__(self, reply: Any) -> Any:
        if not isinstance(reply, (list, tuple)) or len(reply) != 2:
            return reply
        name, found = reply
        taken = self._several if isinstance(found, list) else self._one
        opened = name, taken(text(name), found)
        return opened if isinstance(reply, tuple) else list(opened)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _names(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple, set)) else [given]


@integration.wraps(f"{_LISTS}.lpop", f"{_LISTS}.rpop", always=True)
@replied
def pop(call: Call) -> _Pop:
    return _Pop(call, call["name"])


@integration.wraps(f"{_LISTS}.blpop", f"{_LISTS}.brpop", always=True)
@replied
def blocking_pop(call: Call) -> _Pop:
    return _PopOfAny(call, *_names(call["keys"]))


@integration.wraps(f"{_LISTS}.lmpop", f"{_LISTS}.blmpop", always=True)
@replied
def pop_of_many(call: Call) -> _Pop:
    return _PopOfAny(call, *call.rest("args"))


@integration.wraps(f"{_LISTS}.rpoplpush", f"{_LISTS}.brpoplpush", always=True)
@replied
def turn(call: Call) -> _Pop:
    return _Pop(call, call["src"], moves_to=call["dst"])


@integration.wraps(f"{_KEYS}.lmove", f"{_KEYS}.blmove", always=True)
@replied
def move(call: Call) -> _Pop:
    return _Pop(call, call["first_list"], moves_to=call["second_list"])


@integration.wraps(f"{_LISTS}.lrem", always=True)
def removed(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
    call = integration._guarded(_as_it_lies, wrapped, client, args, kwargs)
    return wrapped(*args, **kwargs) if call is None else call.proceed(wrapped)


def _as_it_lies(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Call | None:
    call = Call.of(wrapped, client, args, kwargs)
    value = call["value"]
    if not _moved or not isinstance(value, (str, bytes)):
        return None
    lies = _moved.pop((text(call["name"]), _bytes(value)), None)
    if lies is None:
        return None
    call["value"] = lies
    return call


def closed(client: Any) -> None:
    """The client pops no more."""
    popper = _poppers.get(client)
    if popper is not None and integration.loops.handling(popper):
        integration.loops.closed(popper)
