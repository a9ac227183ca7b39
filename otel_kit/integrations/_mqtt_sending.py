"""paho-mqtt: what goes out, until the broker has it."""

from paho.mqtt.client import MQTTMessageInfo, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from otel_kit.hops import ActiveHop, Hop, outgoing
from otel_kit.hops.carriers import Headers
from otel_kit.hops.envelope import wrap
from otel_kit.hops.runtime import enveloped
from otel_kit.integrations._mqtt import SYSTEM, bounded, integration, reason, refusable, returned
from otel_kit.integrations._shape import Call

_SENDING = 10_000
"""Messages that are not acknowledged; the hop of the oldest ends when there are more."""

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
    empty = isinstance(payload, (str, bytes, bytearray)) and not payload
    written = isinstance(payload, (str, bytes, bytearray, int, float)) and not empty
    return {} if written and enveloped(SYSTEM, call["topic"]) else None


@integration.asks("paho.mqtt.client:Client._do_on_publish")
def acknowledged(call: Call) -> None:
    message = call.instance._out_messages.get(call["mid"])
    refusal = reason(call["reason_code"]) if call.takes("reason_code") else None  # since 2.0
    if message is not None and refusal is not None and id(message.info) in sending:
        sending[id(message.info)][1].status(refusal)


@integration.observes("paho.mqtt.client:MQTTMessageInfo._set_as_published")
def published(info: MQTTMessageInfo, _: object = None) -> None:
    known = sending.pop(id(info), None)
    if known is not None:
        known[1].end()
