"""
paho-mqtt: `Client.publish`, and every message that a client hands to its callbacks.

A send lasts until the broker has acknowledged the message (QoS 1 and 2), or until it has been
written (QoS 0).  A message is handled by all callbacks that its topic matches, together: one hop,
until they have returned.  MQTT 5 carries the context in its user properties; MQTT 3.1.1 has no
place for it, so a message is a hop without context on either side.

A destination is what was subscribed to where that has wildcards; else levels that look like ids are
left out of its name.  A retained message continues its trace, and has no dwell: it is the latest
that there was, and waited for nobody.  Topics of the broker's own (`$SYS`) are no hops, and neither
are the messages of a client without any callback.  With `suppress_exceptions` a callback's error is
the library's to hide, and is not seen here.
"""

from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from otel_kit.hops import ActiveHop, Hop, incoming, outgoing
from otel_kit.hops.carriers import Headers
from otel_kit.integrations._mqtt import Filters, bounded, reason, refusable, returned
from otel_kit.integrations._shape import Call, Integration

SYSTEM = "mqtt"
integration = Integration("paho-mqtt", supports="paho-mqtt>=1.6,<3")
filters = Filters()
_SENDING = 10_000
"""Messages that are not acknowledged; the hop of the oldest ends when there are more."""


# -- out ----------------------------------------------------------------------------------------

sending: dict[int, tuple[MQTTMessageInfo, ActiveHop]] = {}
"""By the id of what the library knows them by, which cannot be referred to weakly."""


def sent(hop: ActiveHop, info: MQTTMessageInfo) -> None:
    refusal = returned(int(info.rc))
    if refusal is not None:
        hop.status(refusal)
        hop.end()
        return
    sending[id(info)] = info, hop
    if info._published:  # the network's thread was faster
        published(info)
    elif len(sending) > _SENDING:
        published(next(iter(sending.values()))[0])


@integration.sends("paho.mqtt.client:Client.publish", ends=sent, current=False)
def publish(call: Call) -> Hop | None:
    client, topic = call.instance, call["topic"]
    if topic.startswith("$"):
        return None
    carrier = _user_properties(call) if client._protocol == MQTTv5 else None
    broker = f"{client._host}:{client._port}" if client._host else None
    return refusable(
        outgoing(SYSTEM, topic, carrier=carrier, broker=broker, template=bounded(topic))
    )


def _user_properties(call: Call) -> Headers | None:
    """Those of a copy of the message's properties, which takes their place."""
    given = call["properties"]
    if not (given is None or isinstance(given, Properties)):
        return None  # the library's to refuse
    given = given or Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    copy = object.__new__(type(given))
    vars(copy).update(vars(given))
    pairs = list(getattr(copy, "UserProperty", ()))
    vars(copy)["UserProperty"] = pairs  # by its own way it would copy the list
    call["properties"] = copy
    return Headers(pairs)


@integration.asks("paho.mqtt.client:Client._do_on_publish")
def acknowledged(call: Call) -> None:
    message = call.instance._out_messages.get(call["mid"])
    refusal = reason(call["reason_code"]) if "reason_code" in call else None  # since 2.0
    if message is not None and refusal is not None and id(message.info) in sending:
        sending[id(message.info)][1].status(refusal)


@integration.observes("paho.mqtt.client:MQTTMessageInfo._set_as_published")
def published(info: MQTTMessageInfo, _: object = None) -> None:
    known = sending.pop(id(info), None)
    if known is not None:
        known[1].end()


# -- in -----------------------------------------------------------------------------------------


@integration.asks("paho.mqtt.client:Client.subscribe")
def subscribed(call: Call) -> None:
    filters.add(call.instance, call["topic"])


@integration.asks("paho.mqtt.client:Client.message_callback_add")
def called_back(call: Call) -> None:
    filters.add(call.instance, call["sub"])


@integration.processes("paho.mqtt.client:Client._handle_on_message")
def handled(client: Client, message: MQTTMessage) -> Hop | None:
    called: Any = client._on_message_filtered
    if client.on_message is None and next(called.iter_match(message.topic), None) is None:
        return None
    return received(message, client)


def received(message: MQTTMessage, client: Client | None = None) -> Hop | None:
    topic = message.topic
    if topic.startswith("$"):
        return None
    matched, group = filters.matching(client, topic) if client is not None else ("", "")
    pairs: Sequence[Any] = getattr(getattr(message, "properties", None), "UserProperty", ())
    return incoming(
        SYSTEM,
        topic,
        carrier=Headers(list(pairs)),
        template=bounded(topic, matched),
        group=group,
        delivered=2 if message.dup else 1,
        kept=bool(message.retain),
        delivery=message.info._condition,  # its own, and can be referred to weakly
    )


integration.describes(MQTTMessage)(received)
