"""
confluent-kafka: `Producer.produce`, and every message that `poll` and `consume` hand out.

Its types are written in C, and patched in place: whatever imported, derived or made a client of
them before is covered, `SerializingProducer` and `DeserializingConsumer` too.

A send ends with its delivery report, which the application's own `poll()` or `flush()` serves, and
which then goes on to the application's callback, the message's or the producer's.  A producer that
was made before `instrument()` with callbacks of its own does not tell which is for deliveries: its
messages without a callback end when they are in librdkafka's queue.

A message's hop ends when the next one is asked for: the loop body is the handler.  Iterating over
the list that `consume()` returns is such a loop as well; for a batch say
`with otel_kit.process(messages):`.  The span is current in the thread, or the task of an
`AIOConsumer`, that asked.

No hops: `produce_batch` and `AIOProducer`, which carry no headers, and share groups.  Lag is what
the consumer knew when it was last polled, so messages that arrive while a handler is stuck are not
counted before it comes back; the age of the oldest goes on.
"""

import importlib.util
from inspect import getattr_static
from typing import Any
from weakref import ref

from confluent_kafka import KafkaException, Message, cimpl
from confluent_kafka.error import KeyDeserializationError, ValueDeserializationError

from otel_kit.errors import ErrorClass
from otel_kit.gauges.consumers import Partition, consumers_of
from otel_kit.hops import ActiveHop, Hop
from otel_kit.integrations._confluent import Lag, Polled, Polls, Producers, Record, Report
from otel_kit.integrations._kafka import RDKAFKA, Groups, record_hop, send_hop
from otel_kit.integrations._shape import Call, Integration, Undo, in_order

integration = Integration(
    "confluent-kafka",
    supports="confluent-kafka>=2.6,<3",
    contrib=("opentelemetry.instrumentation.confluent_kafka:ConfluentKafkaInstrumentor",),
    errors=dict.fromkeys(
        (KeyDeserializationError, ValueDeserializationError), ErrorClass.SERIALIZATION
    ),
)
groups, producers, polls = Groups(), Producers(), Polls()
consumers = consumers_of(Lag())
_PRODUCE = in_order(
    "topic", "value", "key", "partition", "callback", "on_delivery", "timestamp", "headers"
)
_CONSUMER = "confluent_kafka.cimpl:Consumer"
_CLOSES = ("close", "unsubscribe", *({"__exit__"} & vars(cimpl.Consumer).keys()))


# -- sending ------------------------------------------------------------------------------------


@integration.connects
def connect() -> Undo:
    """What was polled is watched until nobody hears any more that it is closed."""

    def disconnect() -> None:
        polls.clear()
        consumers.clear()

    return disconnect


@integration.wraps("confluent_kafka.cimpl:Producer.__init__")
def made(wrapped: Any, producer: Any, args: Any, kwargs: Any) -> None:
    wrapped(*args, **kwargs)
    integration._guarded(lambda: producers.remember(producer, {**dict(*args[:1]), **kwargs}))


def accepted(headers: Any) -> bool:
    return headers is None or isinstance(headers, (list, dict))


def reported(hop: ActiveHop, _: None) -> None:
    report = hop.hop.delivery
    hop.hop.delivery = None
    if isinstance(report, Report):
        report.ends(hop)
    else:
        hop.end()


def refused(hop: ActiveHop, error: Exception) -> None:
    if isinstance(error, BufferError):
        hop.status(cimpl.KafkaError._QUEUE_FULL)
    elif isinstance(error, KafkaException):
        hop.status(error.args[0].code())


@integration.sends(
    "confluent_kafka.cimpl:Producer.produce", ends=reported, failed=refused, parameters=_PRODUCE
)
def send(call: Call) -> Hop:
    hop = send_hop(call, producers.servers(call.instance), accepted)
    hop.convention = RDKAFKA
    callback = "callback" if "callback" in call else "on_delivery"
    hop.delivery = report = producers.report(call.instance, call[callback])
    if report is not None:
        call["callback"] = report
    return hop


# -- receiving ----------------------------------------------------------------------------------


@integration.observes(f"{_CONSUMER}.poll", f"{_CONSUMER}.consume")
def polled(consumer: Any, result: Any) -> None:
    """Declared first: the hop is described with what this reads."""
    messages = result if isinstance(result, list) else filter(None, [result])
    records = [Record.of(message) for message in messages if message.error() is None]
    seen = polls.of(consumer)
    seen.look(consumer, records)
    groups.remember(records, seen.group)
    consumers.of(seen).returned([(each.at, each.offset, each.sent_at) for each in records])


def described(message: Message | None, seen: Polled) -> Hop | None:
    if message is None or message.error() is not None:
        return None
    return record_hop(Record.of(message), seen.group)


@integration.processes_each(
    f"{_CONSUMER}.poll", closed=tuple(f"{_CONSUMER}.{name}" for name in _CLOSES)
)
def handed_out(message: Message | None, consumer: Any) -> Hop | None:
    seen = polls.of(consumer)
    return None if seen.owned(consumer) else described(message, seen)


@integration.wraps(f"{_CONSUMER}.consume")
def consumed(wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
    integration._guarded(integration.loops.asked_again, consumer)
    messages = wrapped(*args, **kwargs)
    if polls.of(consumer).owned(consumer) or overridden(consumer, "consume", cimpl.Consumer):
        return messages
    return integration.handed(messages, consumer, handed_out)


def overridden(consumer: Any, name: str, base: type) -> bool:
    """A derived class iterates over the list itself, before its caller does."""
    return getattr_static(type(consumer), name) is not getattr_static(base, name)


@integration.refusals("confluent_kafka:DeserializingConsumer.poll")
def undecodable(consumer: Any, error: Exception) -> None:
    integration.loops.closed(consumer)


@integration.describes(Message)
def received(message: Message) -> Hop:
    record = Record.of(message)
    return record_hop(record, groups.of(record))


if importlib.util.find_spec("confluent_kafka.aio") is not None:
    from confluent_kafka.aio import AIOConsumer

    _AIO = "confluent_kafka.aio:AIOConsumer"

    @integration.asks(f"{_AIO}.poll", f"{_AIO}.consume")
    def awaited(call: Call) -> None:
        polls.of(call.instance._consumer).owner = ref(call.instance)

    @integration.processes_each(f"{_AIO}.poll", closed=(f"{_AIO}.close", f"{_AIO}.unsubscribe"))
    def handed_out_later(message: Message | None, consumer: Any) -> Hop | None:
        return described(message, polls.of(consumer._consumer))

    @integration.wraps(f"{_AIO}.consume")
    async def consumed_later(wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
        integration._guarded(integration.loops.asked_again, consumer)
        messages = await wrapped(*args, **kwargs)
        if overridden(consumer, "consume", AIOConsumer):
            return messages
        return integration.handed(messages, consumer, handed_out_later)


# -- lag ----------------------------------------------------------------------------------------


@integration.asks(f"{_CONSUMER}.poll", f"{_CONSUMER}.consume", parameters=in_order())
def asked(call: Call) -> None:
    consumers.of(polls.of(call.instance)).asked()


@integration.asks(f"{_CONSUMER}.commit", parameters=in_order("message", "offsets"))
def committed(call: Call) -> None:
    message, offsets = call["message"], call["offsets"]
    handled = {(each.topic, each.partition): each.offset for each in offsets or ()}
    if message is not None:
        handled = {(message.topic(), message.partition()): message.offset() + 1}
    consumers.of(polls.of(call.instance)).committed(handled or None)


@integration.asks(f"{_CONSUMER}.pause", parameters=in_order("partitions"))
def paused(call: Call) -> None:
    polls.of(call.instance).paused.update(named(call))


@integration.asks(f"{_CONSUMER}.resume", parameters=in_order("partitions"))
def resumed(call: Call) -> None:
    polls.of(call.instance).paused.difference_update(named(call))


def named(call: Call) -> list[Partition]:
    return [(each.topic, each.partition) for each in call["partitions"]]


@integration.asks(*(f"{_CONSUMER}.{name}" for name in _CLOSES), parameters=in_order())
def closed(call: Call) -> None:
    consumers.forget(polls.of(call.instance))
    polls.forget(call.instance)
