"""What the RabbitMQ clients share: where a message goes and comes from, and what it says.

A message goes to an exchange with a routing key, and is handled from a queue.  The conventions name
the whole way (`messaging.destination.name`); the kit's own labels and the consumer's span have the
queue's name alone, which its depth goes by too.
"""

import re
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from otel_kit import dead_letters, names
from otel_kit.gauges.readings import Queue, Reading
from otel_kit.hops import Hop, incoming, outgoing
from otel_kit.hops.around import handling
from otel_kit.hops.carriers import Mapped
from otel_kit.hops.peers import Bounded

SYSTEM: Final = "rabbitmq"
PATIENCE: Final = 3.0
"""Seconds that a broker may take to say how deep its queues are."""
_DEFAULT_EXCHANGE: Final = "amq.default"
_TEMPORARY: Final = "(temporary)"
_MADE_UP = re.compile(r"amq\.gen-|amq\.rabbitmq\.reply-to|amq_(0x)?[0-9a-f]{20,}$")
"""Names by RabbitMQ, its direct replies, and by aio-pika."""
_KEYS: Final = 100
"""Routing keys of one exchange that are told apart: there may be an id in them."""
_EXCHANGES: Final = 1000
_QUEUES: Final = 1000
_keys: dict[str, Bounded] = {}


def send_hop(exchange: str, routing_key: str, headers: dict[str, Any], broker: str | None) -> Hop:
    """A message for an exchange; `headers` are the ones that go out, none of the caller's."""
    way = _way(exchange, _key(exchange, routing_key))
    hop = outgoing(SYSTEM, way, carrier=Mapped(headers), broker=broker)
    return _with(hop, way == _TEMPORARY, {names.MESSAGING_ROUTING_KEY: routing_key})


def message_hop(
    queue: str,
    exchange: str,
    routing_key: str,
    properties: Any,
    *,
    delivery: object,
    delivery_tag: int | None,
    request: bool = False,
) -> Hop:
    """A message from a queue (empty if it is not known); `properties` are AMQP's by name.

    `request`: its sender waits for the answer.
    """
    headers = properties.headers or {}
    temporary = _MADE_UP.match(queue) is not None
    # What it was sent to says more of a temporary queue's messages than that it is one.
    queue = ("" if exchange else _TEMPORARY) if temporary else queue
    way = _way(exchange, _key(exchange, routing_key), queue)
    hop = incoming(
        SYSTEM,
        queue or way,
        carrier=Mapped(headers),
        sent_at=_sent_at(headers, properties.timestamp),
        message_id=properties.message_id,
        delivery=delivery,
        request=request,
    )
    known = {
        names.MESSAGING_DESTINATION: way,
        names.MESSAGING_ROUTING_KEY: routing_key,
        names.MESSAGING_DELIVERY_TAG: delivery_tag,
        names.MESSAGING_CONVERSATION_ID: properties.correlation_id,
    }
    return _with(hop, temporary, known)


def _with(hop: Hop, temporary: bool, known: Mapping[str, str | int | None]) -> Hop:
    added = {name: value for name, value in known.items() if value}
    if temporary:
        added[names.MESSAGING_TEMPORARY] = True
    hop.attributes = {**hop.attributes, **added}
    return hop


def _way(exchange: str, routing_key: str, queue: str = "") -> str:
    """Exchange, routing key and queue, without what says nothing new."""
    parts = (exchange, routing_key, "" if queue == routing_key else queue)
    return ":".join(filter(None, parts)) or _DEFAULT_EXCHANGE


def _key(exchange: str, routing_key: str) -> str:
    """The key, of an exchange with few of them; of the default exchange it is the queue's name."""
    if not exchange:
        return _TEMPORARY if _MADE_UP.match(routing_key) else routing_key
    if exchange not in _keys and len(_keys) >= _EXCHANGES:
        return ""
    return _keys.setdefault(exchange, Bounded(_KEYS))(routing_key)


def depth(queue: str, waiting: int, handled: list[Hop]) -> Reading:
    """What a broker says of a queue, and what of it this process is handling."""
    in_hand = sum(hop.destination == queue for hop in handled)
    return Reading(Queue(SYSTEM, queue, ""), depth=waiting, lag=waiting + in_hand)


def lasts(queue: str) -> bool:
    """Whether it is a queue of the application's naming, which is watched."""
    return bool(queue) and _MADE_UP.match(queue) is None


def _sent_at(headers: Mapping[str, Any], timestamp: Any) -> float | None:
    """By the broker's clock if it was told to say, else by the sender's, in whole seconds."""
    milliseconds = headers.get("timestamp_in_ms")
    if isinstance(milliseconds, int):
        return milliseconds / 1000
    return timestamp.timestamp() if isinstance(timestamp, datetime) else timestamp


# -- dead letters -------------------------------------------------------------------------------

_dead_lettering: set[str] = set()
"""Queues that this process declared with an exchange for dead letters.  A policy is not seen."""


def declared(queue: str, arguments: Mapping[str, Any] | None) -> None:
    """A queue was declared with these arguments."""
    if "x-dead-letter-exchange" in (arguments or {}) and len(_dead_lettering) < _QUEUES:
        _dead_lettering.add(queue)


def refused(delivery_tag: int, *, again: bool, several: bool = False) -> None:
    """The handler of a message gives one back; if it is its own, and for good, it is a dead letter.

    Of several, or in another place than its handler, it is not known which.
    """
    active = handling()
    if again or several or active is None or active.hop.system != SYSTEM:
        return
    hop = active.hop
    own = hop.attributes.get(names.MESSAGING_DELIVERY_TAG) == delivery_tag
    if own and hop.destination in _dead_lettering:
        dead_letters.refused(hop.destination, sys.exception() or "rejected")
