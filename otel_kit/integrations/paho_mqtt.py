"""
paho-mqtt: `Client.publish`, and every message that a client hands to its callbacks.

A send lasts until the broker has acknowledged the message (QoS 1 and 2), or until it has been
written (QoS 0).  A message is handled by all callbacks that its topic matches, together: one hop,
until they have returned.  MQTT 5 carries the context in its user properties.  MQTT 3.1.1 has no
place for it, so a message is a hop without context on either side, unless its topic is named by
`OTEL_KIT_ENVELOPES=mqtt:orders/*`: then the context stands in front of the payload, in an envelope,
and whoever receives it must have the kit, which takes it off.  An empty payload stays empty.

A destination is what was subscribed to where that has wildcards; else levels that look like ids are
left out of its name.  A retained message continues its trace, and has no dwell: it is the latest
that there was, and waited for nobody.  Topics of the broker's own (`$SYS`) are no hops, and neither
are the messages of a client without any callback.  With `suppress_exceptions` a callback's error is
the library's to hide, and is not seen here.
"""

from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from otel_kit.hops import Hop, incoming
from otel_kit.hops.carriers import Headers
from otel_kit.hops.envelope import unwrap
from otel_kit.hops.latest import Latest
from otel_kit.integrations import _mqtt_sending
from otel_kit.integrations._mqtt import SYSTEM, Filters, bounded, integration
from otel_kit.integrations._shape import Call

__all__ = ["_mqtt_sending", "integration"]  # it declares its own

filters = Filters()
_RECEIVED = 1000


@integration.asks("paho.mqtt.client:Client.subscribe")
def subscribed(call: Call) -> None:
    filters.add(call.instance, call["topic"])


@integration.asks("paho.mqtt.client:Client.message_callback_add")
def called_back(call: Call) -> None:
    filters.add(call.instance, call["sub"])


@integration.processes("paho.mqtt.client:Client._handle_on_message")
def handled(client: Client, message: MQTTMessage) -> Hop | None:
    try:
        filtered: Any = client._on_message_filtered
        matching = filtered.iter_match(message.topic)
    except UnicodeDecodeError:  # such a topic has no name
        return None
    called = client.on_message is not None or next(matching, None) is not None
    return received(message, client) if called else None


contexts: Latest[dict[str, str]] = Latest(_RECEIVED)
"""What came in envelopes, by what only that message has."""


@integration.wraps("paho.mqtt.client:Client._handle_on_message", always=True)
def arrived(wrapped: Any, client: Client, args: Any, kwargs: Any) -> Any:
    integration._guarded(_opened, Call.of(wrapped, client, args, kwargs))
    return wrapped(*args, **kwargs)


def _opened(call: Call) -> None:
    message = call["message"]
    payload, context = unwrap(message.payload)
    if payload is not message.payload:
        message.payload = payload
        contexts.put(message.info._condition, context)


def received(message: MQTTMessage, client: Client | None = None) -> Hop | None:
    topic = message.topic
    if topic.startswith("$"):
        return None
    matched, group = filters.matching(client, topic) if client is not None else ("", "")
    own = message.info._condition  # nothing but this delivery has it; referred to weakly
    context = contexts.get(own) or {}
    pairs: Sequence[Any] = getattr(getattr(message, "properties", None), "UserProperty", ())
    return incoming(
        SYSTEM,
        topic,
        carrier=Headers([*pairs, *context.items()]),
        template=bounded(topic, matched),
        group=group,
        delivered=2 if message.dup else 1,
        kept=bool(message.retain),
        delivery=own,
    )


integration.describes(MQTTMessage)(received)
