"""
pulsar-client: `Producer.send` and `send_async`, and every message that `receive`, `batch_receive`
and a reader's `read_next` hand out, or that a listener is called with; its asyncio client too.

A send lasts until the broker has acknowledged the message; that of `send_async` ends when the
library calls back.  A listener is the handler.  A message that was received is handled until the
next one is asked for; iterating over what `batch_receive` returned is such a loop as well, and for
a batch there is `with otel_kit.process(messages):`.

A message that was not acknowledged comes again, as another hop of the same trace; the library sends
a dead letter with the properties that it had.  A destination is the topic, of whatever partition.
Where the sender did not say when it sent, a message's own time of publishing says it.

No hops: table views.  The asyncio client does not tell its producers which broker they are for.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from weakref import WeakKeyDictionary

from pulsar import Message, Result, exceptions

from otel_kit.errors import ErrorClass, Reader
from otel_kit.hops import ActiveHop, Hop, incoming, outgoing
from otel_kit.hops.carriers import Mapped
from otel_kit.integrations._shape import Call, Integration

SYSTEM = "pulsar"
_CLASSES = {
    "Timeout": ErrorClass.TIMEOUT,
    "ConnectError": ErrorClass.CONNECTION,
    "NotConnected": ErrorClass.CONNECTION,
    "AlreadyClosed": ErrorClass.CONNECTION,
    "AuthenticationError": ErrorClass.CLIENT_ERROR,
    "AuthorizationError": ErrorClass.CLIENT_ERROR,
    "InvalidMessage": ErrorClass.CLIENT_ERROR,
    "MessageTooBig": ErrorClass.CLIENT_ERROR,
    "TopicNotFound": ErrorClass.CLIENT_ERROR,
    "TopicTerminated": ErrorClass.CLIENT_ERROR,
    "IncompatibleSchema": ErrorClass.SERIALIZATION,
    "ProducerQueueIsFull": ErrorClass.THROTTLED,
    "MemoryBufferIsFull": ErrorClass.THROTTLED,
    "TooManyLookupRequestException": ErrorClass.THROTTLED,
    "ProducerBlockedQuotaExceededError": ErrorClass.THROTTLED,
    "ProducerBlockedQuotaExceededException": ErrorClass.THROTTLED,
    "ProducerBusy": ErrorClass.UNAVAILABLE,
    "ServiceUnitNotReady": ErrorClass.UNAVAILABLE,
    "BrokerMetadataError": ErrorClass.UNAVAILABLE,
    "BrokerPersistenceError": ErrorClass.UNAVAILABLE,
}
"""By the name of a result, which an exception has as well."""
_asyncio: Any = import_module("pulsar.asyncio") if find_spec("pulsar.asyncio") else None


def _classes() -> dict[type[BaseException], ErrorClass | Reader]:
    known: dict[Any, ErrorClass | Reader] = {
        getattr(exceptions, name): how for name, how in _CLASSES.items()
    }
    if _asyncio is not None:
        known[_asyncio.PulsarException] = lambda error: _CLASSES.get(error.error().name)
    return known


integration = Integration("pulsar", supports="pulsar-client>=3.9,<4", errors=_classes())


def _there(*paths: str) -> list[str]:
    """Those of the asyncio client's functions that this version has."""
    found = []
    for path in paths:
        owner, _, name = path.partition(".")
        if hasattr(getattr(_asyncio, owner, None), name):
            found.append(f"pulsar.asyncio:{path}")
    return found


# -- out ----------------------------------------------------------------------------------------

_urls: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


@integration.asks("pulsar:Client.__init__")
def made(call: Call) -> None:
    if isinstance(call["service_url"], str):
        _urls[call.instance] = call["service_url"]


class _Report:
    """Called with what became of a message, before the application's own callback."""

    def __init__(self, hop: ActiveHop, then: Callable[[Any, Any], Any]) -> None:
        self._hop = hop
        self._then = then

    def __call__(self, result: Any, message_id: Any) -> Any:
        if result == Result.Ok:
            self._hop.end()
        else:
            self._hop.status(result.name)
            self._hop.end(getattr(exceptions, result.name, exceptions.PulsarException)())
        return self._then(result, message_id)


def reports(hop: ActiveHop, call: Call) -> None:
    call["callback"] = _Report(hop, call["callback"])


@integration.sends("pulsar:Producer.send", *_there("Producer.send"))
def sent(call: Call) -> Hop:
    given = call["properties"]
    carrier = None
    if given is None or isinstance(given, dict):
        properties = call["properties"] = dict(given or {})
        carrier = Mapped(properties)
    broker = _broker(call.instance)
    return outgoing(SYSTEM, _topic(call.instance.topic()), carrier=carrier, broker=broker)


integration.sends(
    "pulsar:Producer.send_async", begun=reports, ends=lambda hop, result: None, current=False
)(sent)


def _broker(producer: Any) -> str | None:
    client = getattr(producer, "_client", None)
    url = "" if client is None else _urls.get(client, "")
    return url.partition("://")[2].strip("/") or None


def _topic(name: str) -> str:
    """Without its partition."""
    topic, _, partition = name.rpartition("-partition-")
    return topic if partition.isdigit() else name


# -- in -----------------------------------------------------------------------------------------


@integration.processes_each(
    "pulsar:Consumer.receive",
    "pulsar:Reader.read_next",
    *_there("Consumer.receive", "Reader.read_next"),
    closed=(
        "pulsar:Consumer.close",
        "pulsar:Reader.close",
        *_there("Consumer.close", "Reader.close"),
    ),
)
def handed_out(message: Message, consumer: Any) -> Hop:
    name = getattr(consumer, "subscription_name", None)
    return _described(message, None if name is None else name())


@integration.processes_callback("pulsar:Client.subscribe", parameter="message_listener")
@integration.processes_callback("pulsar:Client.create_reader", parameter="reader_listener")
def called_back(client: Any, consumer: Any, message: Message) -> Hop:
    hop: Hop = handed_out(message, consumer)
    return hop


@integration.wraps("pulsar:Consumer.batch_receive")
def several(wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
    integration._guarded(integration.loops.asked_again, consumer)
    return integration.handed(wrapped(*args, **kwargs), consumer, handed_out)


@integration.describes(Message)
def received(message: Message) -> Hop:
    return _described(message, None)


def _described(message: Message, group: str | None) -> Hop:
    topic = message.topic_name()
    _, _, partition = topic.rpartition("-partition-")
    published = message.publish_timestamp()
    return incoming(
        SYSTEM,
        _topic(topic),
        carrier=Mapped(message.properties()),
        sent_at=published / 1000 if published else None,
        group=group,
        message_id=str(message.message_id()),
        partition=partition if partition.isdigit() else None,
        delivered=message.redelivery_count() + 1,
        delivery=message,
    )
