"""aio-pika: what comes in, how deep its queues are, and what is refused."""

from functools import partial
from typing import Any
from weakref import WeakSet

from aio_pika import IncomingMessage
from aio_pika.patterns.rpc import RPC, RPCMessageType
from aio_pika.queue import QueueIterator
from aio_pika.robust_queue import RobustQueueIterator

from otel_kit.gauges import connections as watched
from otel_kit.hops import Hop
from otel_kit.integrations._aio_pika import integration, sources
from otel_kit.integrations._aio_pika_queues import depths
from otel_kit.integrations._rabbitmq import declared, lasts, message_hop, refused
from otel_kit.integrations._shape import Call

_asked: WeakSet[Any] = WeakSet()
"""Queues that were asked for a message."""


def _is_own(callback: Any) -> bool:
    owner = getattr(callback, "__self__", None)
    return isinstance(owner, QueueIterator) or (
        isinstance(owner, RPC) and callback.__name__ == "on_result_message"
    )


@integration.processes_callback("aio_pika.queue:Queue.consume", parameter="callback", ours=_is_own)
def called_back(queue: Any, message: IncomingMessage) -> Hop:
    return _taken(message, queue)


_ITERATORS = [each for each in (QueueIterator, RobustQueueIterator) if "__anext__" in vars(each)]


@integration.processes_each(
    *(f"{each.__module__}:{each.__name__}.__anext__" for each in _ITERATORS),
    closed=("aio_pika.queue:QueueIterator.close",),
)
def iterated(message: IncomingMessage, iterator: Any) -> Hop:
    return _taken(message, iterator._amqp_queue)


@integration.processes_each("aio_pika.queue:Queue.get")
def got(message: IncomingMessage | None, queue: Any) -> Hop | None:
    if message is None:
        return None
    _asked.add(queue)
    return _taken(message, queue)


@integration.asks("aio_pika.channel:Channel.close", "aio_pika.connection:Connection.close")
def closed(call: Call) -> None:
    for queue in list(_asked):
        if call.instance in (queue.channel, queue.channel._connection):
            integration.loops.closed(queue)
    integration.loops.closed(call.instance)  # ends what queues that are gone have returned
    connections.forget(call.instance)


def _taken(message: IncomingMessage, queue: Any) -> Hop:
    sources.put(message.headers, (queue.name, message.reply_to))
    return _described(message, queue.name)


@integration.describes(IncomingMessage)
def received(message: IncomingMessage) -> Hop:
    queue, _ = sources.get(message.headers) or ("", None)
    return _described(message, queue)


def _described(message: IncomingMessage, queue: str) -> Hop:
    return message_hop(
        queue,
        message.exchange or "",
        message.routing_key or "",
        message,
        delivery=message.headers,
        delivery_tag=message.delivery_tag,
        request=bool(message.reply_to) and message.type == RPCMessageType.CALL.value,
    )


# -- depth --------------------------------------------------------------------------------------

connections = watched.connections(partial(depths, loops=integration.loops))


@integration.asks("aio_pika.queue:Queue.consume")
def consumes(call: Call) -> None:
    queue = call.instance
    if lasts(queue.name):
        connections.of(queue.channel._connection).add(queue.name, id(queue))


@integration.asks("aio_pika.queue:Queue.cancel")
def cancels(call: Call) -> None:
    queue = call.instance
    connections.of(queue.channel._connection).drop(queue.name, id(queue))


# -- dead letters -------------------------------------------------------------------------------


@integration.asks("aio_pika.queue:Queue.declare")
def declares(call: Call) -> None:
    declared(call.instance.name, call.instance.arguments)


@integration.asks("aio_pika.message:IncomingMessage.reject")
def rejects(call: Call) -> None:
    refused(call.instance.delivery_tag, again=call["requeue"] or call.instance.processed)


@integration.asks("aio_pika.message:IncomingMessage.nack")
def nacks(call: Call) -> None:
    again = call["requeue"] or call.instance.processed
    refused(call.instance.delivery_tag, again=again, several=call["multiple"])
