"""
redis-py, sync and asyncio: streams.  `XADD` is a send, and an entry that was read is handled.

`XREAD`, `XREADGROUP`, `XCLAIM` and `XAUTOCLAIM` return lists of entries; the body of the loop over
such a list is the handler, and its hop lasts until the client's next entry is asked for, or the
client is closed.  What is claimed, or read once more, is a new hop in the same trace.  `XACK` ends
nothing: there are consumers that acknowledge before they begin.  Whoever takes entries otherwise
(`entries[0]`, a pool of threads) says `with otel_kit.process(entry):`.  A wait begins when the
sender says, or else at the time in the entry's id.  An `XADD` of a pipeline lasts until that is
executed, or is thrown away: cancelled.

An entry of a stream has no headers: its fields are the message.  So context is added to them only
where `OTEL_KIT_ENVELOPES` names the stream (`redis`, `redis:orders.*`), for consumers that know
nothing of it would meet fields that they do not expect.  It is added as `traceparent`, `tracestate`
and `baggage`, with a field `otelkit` that says which of these the kit has added; the kit takes just
those out of whatever is read (`XRANGE` too).  Context that the application itself has put among the
fields is always read.  No context is added where Redis is to know an entry by its content
(`idmpauto`).

Depth and lag of a stream (what its group has not read, and not acknowledged) are Redis' own numbers
(7.0 and later), asked for over a connection of the kit's own while a client reads by `XREADGROUP`.

A command that reads or writes a cache crosses to no service: it makes no hop.
"""

from asyncio import CancelledError
from collections.abc import Callable
from inspect import iscoroutine, iscoroutinefunction
from typing import Any

from otel_kit.hops import ActiveHop, Hop, outgoing
from otel_kit.hops.carriers import Fields
from otel_kit.hops.runtime import enveloped
from otel_kit.integrations._redis import (
    ERRORS,
    PIPELINES,
    SYSTEM,
    Commands,
    Conclude,
    Reading,
    Waiting,
    broker,
    received,
    text,
)
from otel_kit.integrations._redis_queues import Watching
from otel_kit.integrations._shape import Call, Integration

integration = Integration("redis", supports="redis>=5,<9", errors=ERRORS)
waiting = Waiting()
watching = Watching()
_STREAMS = "redis.commands.core:StreamCommands"
_PIPELINES = ("redis.client:Pipeline", "redis.asyncio.client:Pipeline")
_CLUSTERS = ("redis.cluster:ClusterPipeline", "redis.asyncio.cluster:ClusterPipeline")
_CLIENTS = ("redis.client:Redis.close", "redis.asyncio.client:Redis.aclose")

integration.describes(tuple)(received)


def added(hop: ActiveHop, reply: Any) -> None:
    """Ends the hop, unless the command is but one of a pipeline, which has to be executed."""
    if not isinstance(reply, PIPELINES):
        hop.end()
        return

    def executed(reply: Any) -> Any:
        hop.end(reply if isinstance(reply, BaseException) else None)
        return reply

    waiting.add(reply, executed)


@integration.sends(f"{_STREAMS}.xadd", ends=added)
def add(call: Call) -> Hop:
    stream, fields, carrier = text(call["name"]), call["fields"], None
    by_content = "idmpauto" in call and call["idmpauto"] is not None
    if enveloped(SYSTEM, stream) and isinstance(fields, dict) and fields and not by_content:
        call["fields"] = fields = dict(fields)
        carrier = Fields(fields)
    return outgoing(SYSTEM, stream, carrier=carrier, broker=broker(call.instance))


# -- what is read ---------------------------------------------------------------------------------

Around = Callable[[Any, Any, Any, Any], Any]


def _reads(read: Callable[[Call], Reading]) -> Around:
    def around(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
        integration._guarded(integration.loops.asked_again, client)
        call = integration._guarded(Call.of, wrapped, client, args, kwargs)
        reading = integration._guarded(read, call)
        reply = wrapped(*args, **kwargs)
        if reading is None:
            return reply
        if iscoroutine(reply):
            return _awaited(reply, reading)
        if isinstance(reply, PIPELINES):
            waiting.add(reply, reading)
            return reply
        return _concluded(reading, reply)

    return around


async def _awaited(coroutine: Any, conclude: Conclude) -> Any:
    return _concluded(conclude, await coroutine)


def _concluded(conclude: Conclude, reply: Any) -> Any:
    concluded = integration._guarded(conclude, reply)
    return reply if concluded is None else concluded


@integration.wraps(f"{_STREAMS}.xread")
@_reads
def read(call: Call) -> Reading:
    return Reading(integration, call.instance)


@integration.wraps(f"{_STREAMS}.xreadgroup")
@_reads
def read_by_group(call: Call) -> Reading:
    if not isinstance(call.instance, PIPELINES):
        watching.of(call.instance).reads(call["streams"], call["groupname"])
    return Reading(integration, call.instance, group=call["groupname"])


@integration.wraps(f"{_STREAMS}.xclaim", f"{_STREAMS}.xautoclaim")
@_reads
def claimed(call: Call) -> Reading:
    return Reading(integration, call.instance, stream=call["name"], group=call["groupname"])


@integration.wraps(f"{_STREAMS}.xrange", f"{_STREAMS}.xrevrange")
@_reads
def looked_at(call: Call) -> Reading:
    return Reading(integration, call.instance, stream=call["name"], handled=False)


@integration.asks(*_CLIENTS)
def closed(call: Call) -> None:
    # `__del__` closes too, perhaps in the garbage collector: then there is nothing open any more.
    watching.forget(call.instance)
    if integration.loops.handling(call.instance):
        integration.loops.closed(call.instance)


# -- pipelines ------------------------------------------------------------------------------------


@integration.wraps(*(f"{each}.execute" for each in (*_PIPELINES, *_CLUSTERS)))
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
        if not isinstance(conclude, Reading):
            conclude(call["response"][position])


@integration.asks(*(f"{each}.reset" for each in _PIPELINES))
def thrown_away(call: Call) -> None:
    _failed(waiting.throw_away(call.instance), CancelledError())
