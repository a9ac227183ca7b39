"""Replies to commands of redis-py, at once, to be awaited, or when a pipeline is executed."""

from asyncio import CancelledError
from collections.abc import Callable
from inspect import iscoroutine, iscoroutinefunction
from typing import Any
from weakref import WeakKeyDictionary

from redis import cluster
from redis.asyncio import cluster as asyncio_cluster
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

from otel_kit.hops import ActiveHop
from otel_kit.integrations._redis import integration
from otel_kit.integrations._shape import Call

PIPELINES = (
    Pipeline,
    AsyncPipeline,
    cluster.ClusterPipeline,
    asyncio_cluster.ClusterPipeline,
)
_PIPELINES = ("redis.client:Pipeline", "redis.asyncio.client:Pipeline")
_CLUSTERS = ("redis.cluster:ClusterPipeline", "redis.asyncio.cluster:ClusterPipeline")
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


waiting = Waiting()


class Sent:
    """A command that sends a message, whose hop its reply ends."""

    def __init__(self, hop: ActiveHop) -> None:
        self._hop = hop

    def __call__(self, reply: Any) -> Any:
        self._hop.end(reply if isinstance(reply, BaseException) else None)
        return reply


def sent(hop: ActiveHop, reply: Any) -> None:
    """Ends the hop, unless the command is but one of a pipeline, which has to be executed."""
    if isinstance(reply, PIPELINES):
        waiting.add(reply, Sent(hop))
    else:
        hop.end()


def replied(read: Callable[[Call], Conclude | None]) -> Callable[[Any, Any, Any, Any], Any]:
    """Stands around a command: `read(call)` says what to make of its reply, whenever that comes."""

    def around(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
        conclude = integration._guarded(lambda: read(Call.of(wrapped, client, args, kwargs)))
        reply = wrapped(*args, **kwargs)
        if conclude is None:
            return reply
        if iscoroutine(reply):
            return _awaited(reply, conclude)
        if isinstance(reply, PIPELINES):
            waiting.add(reply, conclude)
            return reply
        return _concluded(conclude, reply)

    return around


async def _awaited(coroutine: Any, conclude: Conclude) -> Any:
    return _concluded(conclude, await coroutine)


def _concluded(conclude: Conclude, reply: Any) -> Any:
    concluded = integration._guarded(conclude, reply)
    return reply if concluded is None else concluded


@integration.wraps(*(f"{each}.execute" for each in (*_PIPELINES, *_CLUSTERS)), always=True)
def executed(wrapped: Any, pipeline: Any, args: Any, kwargs: Any) -> Any:
    if not waiting.any(pipeline):
        return wrapped(*args, **kwargs)
    commands = waiting.execute(pipeline)
    if iscoroutinefunction(wrapped):
        return _executed(wrapped(*args, **kwargs), commands)
    try:
        replies = wrapped(*args, **kwargs)
    except BaseException as error:
        _failed(commands, error)
        raise
    return _replied(commands, replies)


async def _executed(coroutine: Any, commands: Commands) -> Any:
    try:
        replies = await coroutine
    except BaseException as error:
        _failed(commands, error)
        raise
    return _replied(commands, replies)


def _failed(commands: Commands, error: BaseException) -> None:
    for _, conclude in commands:
        integration._guarded(conclude, error)


def _replied(commands: Commands, replies: list[Any]) -> list[Any]:
    for position, conclude in commands:
        replies[position] = _concluded(conclude, replies[position])
    return replies


@integration.asks(*(f"{each}.raise_first_error" for each in _PIPELINES))
def refused(call: Call) -> None:
    """One of the commands failed, and the others did not."""
    for position, conclude in waiting.executing(call.instance):
        if isinstance(conclude, Sent):
            conclude(call["response"][position])


@integration.asks(*(f"{each}.reset" for each in _PIPELINES))
def thrown_away(call: Call) -> None:
    _failed(waiting.throw_away(call.instance), CancelledError())
