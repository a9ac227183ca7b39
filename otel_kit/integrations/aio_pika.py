"""
aio-pika: `Exchange.publish`, and every message that `Queue.consume` hands to a callback, that an
iterator of a queue hands out, or that `Queue.get` returns.

A send ends when the broker confirms it, or when it is written if the channel has no confirms.  A
callback is the handler.  A message that was iterated or got is handled until the next one is asked
for, or its task has ended: the loop body is the handler.

An iterator is a consumer with a callback of its own, which only fills a buffer: that is no hop.
"""

from copy import copy
from functools import partial
from typing import Any
from weakref import WeakSet

import wrapt
from aio_pika import IncomingMessage, Message, exceptions
from aio_pika.queue import QueueIterator
from aio_pika.robust_queue import RobustQueueIterator

from otel_kit.errors import ErrorClass
from otel_kit.gauges.asked import Connections
from otel_kit.hops import Hop
from otel_kit.hops.latest import Latest
from otel_kit.integrations._aio_pika_queues import depths
from otel_kit.integrations._rabbitmq import declared, lasts, message_hop, refused, send_hop
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "aio-pika",
    supports="aio-pika>=9.1,<11",
    contrib=("opentelemetry.instrumentation.aio_pika:AioPikaInstrumentor",),
    errors={
        exceptions.AMQPConnectionError: ErrorClass.CONNECTION,
        exceptions.ChannelInvalidStateError: ErrorClass.CONNECTION,
        exceptions.AMQPChannelError: ErrorClass.CLIENT_ERROR,
        exceptions.DeliveryError: ErrorClass.UNAVAILABLE,
        exceptions.PublishError: ErrorClass.CLIENT_ERROR,
    },
)
_asked: WeakSet[Any] = WeakSet()
"""Queues that were asked for a message."""
_queues: Latest[Any] = Latest(1000)
"""The queue of a message, by its headers: a message cannot be referred to weakly."""


class _Outgoing(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """A message, of whatever class, with other headers."""

    def __init__(self, message: Message, headers: dict[str, Any]) -> None:
        super().__init__(message)
        self._self_headers = headers

    @property
    def properties(self) -> Any:
        properties = copy(self.__wrapped__.properties)
        properties.headers = self._self_headers
        return properties


@integration.sends("aio_pika.exchange:Exchange.publish")
def publish(call: Call) -> Hop:
    headers = dict(call["message"].headers or {})
    call["message"] = _Outgoing(call["message"], headers)
    exchange = call.instance
    return send_hop(exchange.name, call["routing_key"], headers, _address(exchange.channel))


def _address(channel: Any) -> str | None:
    url = channel._connection.url
    return f"{url.host}:{url.port or 5672}" if url.host else None


def _buffers(callback: Any) -> bool:
    return isinstance(getattr(callback, "__self__", None), QueueIterator)


@integration.processes_callback("aio_pika.queue:Queue.consume", parameter="callback", ours=_buffers)
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
    connections.forget(call.instance)


def _taken(message: IncomingMessage, queue: Any) -> Hop:
    _queues.put(message.headers, queue)
    return _described(message, queue.name)


@integration.describes(IncomingMessage)
def received(message: IncomingMessage) -> Hop:
    queue = _queues.get(message.headers)
    return _described(message, "" if queue is None else queue.name)


def _described(message: IncomingMessage, queue: str) -> Hop:
    return message_hop(
        queue,
        message.exchange or "",
        message.routing_key or "",
        message,
        delivery=message.headers,
        delivery_tag=message.delivery_tag,
    )


# -- depth --------------------------------------------------------------------------------------

connections = Connections(partial(depths, loops=integration.loops))


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
