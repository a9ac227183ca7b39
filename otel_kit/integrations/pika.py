"""
pika: `basic_publish`, and every message that `basic_consume` or an adapter's `basic_get` hands to a
callback, that `BlockingChannel.consume` yields, or that its `basic_get` returns.

A send ends when the broker confirms it where the channel waits for that (`BlockingChannel` after
`confirm_delivery`), else when it is written, or buffered for that.  A callback is the handler; a
message that was yielded or got is handled until the next one is asked for, or its channel closed.

A `BlockingChannel` calls the channel of its connection underneath, for which its own functions are
callbacks: that is one hop.  To handle a message in another thread than it came in, say
`with otel_kit.process(properties):` there; of a message's three parts they are the one that knows
its headers.
"""

from copy import copy
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from pika import BasicProperties, exceptions
from pika.adapters import blocking_connection as blocking

from otel_kit.errors import ErrorClass
from otel_kit.gauges import connections as watched
from otel_kit.hops import Hop
from otel_kit.hops.latest import Latest
from otel_kit.integrations._pika_queues import depths
from otel_kit.integrations._rabbitmq import declared, lasts, message_hop, refused, send_hop
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "pika",
    supports="pika>=1,<2",
    contrib=("opentelemetry.instrumentation.pika:PikaInstrumentor",),
    errors={
        exceptions.AMQPConnectionError: ErrorClass.CONNECTION,
        exceptions.ChannelWrongStateError: ErrorClass.CONNECTION,
        exceptions.AMQPChannelError: ErrorClass.CLIENT_ERROR,
        exceptions.NackError: ErrorClass.UNAVAILABLE,
        exceptions.UnsupportedAMQPFieldException: ErrorClass.SERIALIZATION,
    },
)
_BLOCKING = "pika.adapters.blocking_connection:BlockingChannel"
_CHANNEL = "pika.channel:Channel"


@integration.sends(f"{_BLOCKING}.basic_publish", f"{_CHANNEL}.basic_publish")
def publish(call: Call) -> Hop:
    properties = copy(call["properties"]) or BasicProperties()
    headers = properties.headers = dict(properties.headers or {})
    call["properties"] = properties
    parameters = _channel(call.instance).connection.params
    broker = f"{parameters.host}:{parameters.port}"
    return send_hop(call["exchange"], call["routing_key"], headers, broker)


def _channel(channel: Any) -> Any:
    """The connection's own channel, also of a blocking one."""
    return getattr(channel, "_impl", channel)


# -- which queue a message is from --------------------------------------------------------------

_consumed: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()
"""The queues of each channel by the consumer's tag."""
connections = watched.connections(partial(depths, loops=integration.loops))
_asked: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""The queue that a channel was last asked for a message of."""
_deliveries: Latest[tuple[str, Any]] = Latest(1000)
"""Queue and method of a message."""


@integration.wraps(f"{_CHANNEL}.basic_consume")
def consuming(wrapped: Any, channel: Any, args: Any, kwargs: Any) -> Any:
    tag = wrapped(*args, **kwargs)
    integration._guarded(_remember, tag, Call.of(wrapped, channel, args, kwargs))
    return tag


def _remember(tag: str, call: Call) -> None:
    queues = _consumed.setdefault(call.instance, {})
    for ended in queues.keys() - set(call.instance.consumer_tags):
        del queues[ended]
    queues[tag] = call["queue"]
    if lasts(call["queue"]):
        connections.of(call.instance.connection).add(call["queue"], tag)


@integration.asks(f"{_CHANNEL}.basic_cancel")
def cancels(call: Call) -> None:
    tag = call["consumer_tag"]
    queue = _consumed.get(call.instance, {}).get(tag)
    if queue is not None:
        connections.of(call.instance.connection).drop(queue, tag)


@integration.asks("pika.connection:Connection.close")
def closed(call: Call) -> None:
    connections.forget(call.instance)


@integration.asks(f"{_CHANNEL}.basic_get")
def getting(call: Call) -> None:
    _asked[call.instance] = call["queue"]


# -- what is handled ----------------------------------------------------------------------------


def _fills_a_buffer(callback: Any) -> bool:
    owner = getattr(callback, "__self__", None)
    return isinstance(owner, (blocking.BlockingChannel, blocking._CallbackResult))


@integration.processes_callback(
    f"{_BLOCKING}.basic_consume",
    f"{_CHANNEL}.basic_consume",
    parameter="on_message_callback",
    ours=_fills_a_buffer,
)
@integration.processes_callback(
    f"{_CHANNEL}.basic_get",
    parameter="callback",
    ours=_fills_a_buffer,
)
def called_back(channel: Any, _: Any, method: Any, properties: Any, body: Any) -> Hop:
    return _taken(method, properties, channel)


@integration.processes_iterated(
    f"{_BLOCKING}.consume", closed=(f"{_BLOCKING}.cancel", f"{_BLOCKING}.close")
)
@integration.processes_each(f"{_BLOCKING}.basic_get", closed=(f"{_BLOCKING}.close",))
def handed_out(message: tuple[Any, Any, Any], channel: Any) -> Hop | None:
    method, properties, _ = message
    return None if method is None else _taken(method, properties, channel)


def _taken(method: Any, properties: Any, channel: Any) -> Hop:
    channel, tag = _channel(channel), getattr(method, "consumer_tag", None)
    queue = _asked.get(channel) if tag is None else _consumed.get(channel, {}).get(tag)
    _deliveries.put(properties, (queue or "", method))
    return _described(properties, queue or "", method)


@integration.describes(BasicProperties)
def received(properties: Any) -> Hop:
    return _described(properties, *(_deliveries.get(properties) or ("", None)))


def _described(properties: Any, queue: str, method: Any) -> Hop:
    return message_hop(
        queue,
        getattr(method, "exchange", ""),
        getattr(method, "routing_key", ""),
        properties,
        delivery=properties,
        delivery_tag=getattr(method, "delivery_tag", None),
    )


# -- dead letters -------------------------------------------------------------------------------


@integration.asks(f"{_CHANNEL}.queue_declare")
def declares(call: Call) -> None:
    declared(call["queue"], call["arguments"])


@integration.asks(f"{_CHANNEL}.basic_reject")
def rejects(call: Call) -> None:
    refused(call["delivery_tag"], again=call["requeue"])


@integration.asks(f"{_CHANNEL}.basic_nack")
def nacks(call: Call) -> None:
    refused(call["delivery_tag"], again=call["requeue"], several=call["multiple"])
