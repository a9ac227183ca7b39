"""nats-py: what goes out, and what comes back as the answer."""

from collections.abc import Callable
from typing import Any

from nats.aio.msg import Msg
from nats.js.client import JetStreamContext

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, outgoing
from otel_kit.hops.account import OUTBOUND
from otel_kit.hops.messaging import request
from otel_kit.hops.nesting import under_way
from otel_kit.hops.propagation import FIELDS
from otel_kit.integrations._futures import acknowledged
from otel_kit.integrations._nats import (
    SYSTEM,
    bounded,
    broker,
    carrier,
    headers_of,
    integration,
    internal,
    is_inbox,
)
from otel_kit.integrations._shape import Call


def _around() -> ActiveHop | None:
    """The hop that the library is sending already: it calls itself, and nobody else meanwhile."""
    outer = next(under_way(), None)
    if not isinstance(outer, ActiveHop) or outer.hop.system != SYSTEM or outer.ended:
        return None
    return outer if outer.kind in OUTBOUND else None


def _described(call: Call, client: Any, describe: Callable[..., Hop]) -> Hop | None:
    subject = call["subject"]
    if internal(client, subject) or _around() is not None:
        return None
    return describe(
        SYSTEM,
        subject,
        carrier=carrier(call, client),
        broker=broker(client),
        template=bounded(subject),
    )


@integration.sends("nats.aio.client:Client.publish")
def publish(call: Call) -> Hop | None:
    return _described(call, call.instance, outgoing)


@integration.sends("nats.js.client:JetStreamContext.publish")
def publish_to_stream(call: Call) -> Hop | None:
    return _described(call, call.instance._nc, outgoing)


if hasattr(JetStreamContext, "publish_async"):  # since 2.8
    integration.sends("nats.js.client:JetStreamContext.publish_async", ends=acknowledged)(
        publish_to_stream
    )


def answered(hop: ActiveHop, answer: Msg) -> None:
    hop.answered(headers_of(answer).get(names.SERVER_TIMING))


@integration.calls("nats.aio.client:Client.request", answered=answered)
def ask(call: Call) -> Hop | None:
    return _described(call, call.instance, request)


@integration.amends("nats.aio.client:Client.publish")
def part_of_a_request(call: Call) -> None:
    """An old-style request drops all headers; an answer has none that says who answers."""
    outer = _around()
    if is_inbox(call.instance, call["subject"]):
        _sign(call)
    elif outer is not None and outer.hop.carrier is not None and call["headers"] is None:
        call["headers"] = {name: value for name in FIELDS if (value := outer.hop.carrier.get(name))}


def _sign(call: Call) -> None:
    for hop in under_way():
        if isinstance(hop, ActiveHop) and isinstance(hop.hop.delivery, Msg):
            reply = hop.reply() if hop.hop.delivery.reply == call["subject"] else None
            if reply is not None and carrier(call, call.instance) is not None:
                call["headers"][names.SERVER_TIMING] = reply
                return
