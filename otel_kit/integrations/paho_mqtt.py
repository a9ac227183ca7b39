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

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from otel_kit.hops import ActiveHop, Hop, incoming, outgoing
from otel_kit.hops.carriers import Headers
from otel_kit.hops.envelope import unwrap, wrap
from otel_kit.hops.latest import Latest
from otel_kit.hops.runtime import enveloped
from otel_kit.integrations._mqtt import Filters, bounded, reason, refusable, returned
from otel_kit.integrations._shape import Call, Integration

SYSTEM = "mqtt"
integration = Integration("paho-mqtt", supports="paho-mqtt>=1.6,<3")
filters = Filters()
_RECEIVED = 1000
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


def begun(hop: ActiveHop, call: Call) -> None:
    if call.instance._protocol != MQTTv5 and hop.hop.carrier:
        payload = call["payload"]
        written = str(payload) if isinstance(payload, (int, float)) else payload  # as it does it
        call["payload"] = wrap(written, hop.hop.carrier)


@integration.sends("paho.mqtt.client:Client.publish", ends=sent, begun=begun, current=False)
def publish(call: Call) -> Hop | None:
    client, topic = call.instance, call["topic"]
    if topic.startswith("$"):
        return None
    carrier = _user_properties(call) if client._protocol == MQTTv5 else _envelope(call)
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


def _envelope(call: Call) -> dict[str, str] | None:
    """To be put in front of the payload, if the user says so.

    An empty payload takes a retained message away.
    """
    payload = call["payload"]
    written = payload not in (None, "", b"") and isinstance(
        payload, (str, bytes, bytearray, int, float)
    )
    return {} if written and enveloped(SYSTEM, call["topic"]) else None


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
