"""
nats-py: publishing, requests, JetStream, and every way in which messages arrive.

`Client.publish` is a send, over when the client has written it; `JetStreamContext.publish` is one
too, over when the stream has acknowledged it.  `Client.request` is a call: one round trip, whose
answer makes no hop of its own, and says who gave it in a header `Server-Timing`.  Its handler
serves; the one of any other message consumes.

A callback is the handler.  So is the loop's body of `async for message in subscription.messages`,
and what follows `next_msg()`, up to the next call; of `fetch(n)`, the body of a loop over the
list, and of `fetch()`, which returns one message, what follows up to the next call.  A message that
is delivered again is another hop in the same trace, and its dwell is since it was first sent, by
the stream's clock if the sender did not say.

The server's own subjects (`$JS.API`, `$KV`, …) and inboxes are no hops.  A destination is what was
subscribed to where that has wildcards; else tokens that look like ids are left out of its name.
Not seen: a JetStream API under a prefix of its own (`jetstream(prefix=…)`) is taken for requests.
"""

from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.client import JetStreamContext
from opentelemetry.context import Context, attach, detach, get_current

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, incoming, outgoing
from otel_kit.hops.account import OUTBOUND
from otel_kit.hops.keys import BAGGAGE, HOP, INBOUND, SPAN
from otel_kit.hops.messaging import request
from otel_kit.hops.nesting import under_way
from otel_kit.hops.propagation import FIELDS
from otel_kit.integrations._inbound import Loop
from otel_kit.integrations._nats import (
    Delivery,
    bounded,
    broker,
    carrier,
    consumer_of,
    error_classes,
    headers_of,
    internal,
    is_inbox,
    is_request,
    pulled,
)
from otel_kit.integrations._nats_queues import forget, watch
from otel_kit.integrations._patch import Call
from otel_kit.integrations._shape import Integration

SYSTEM = "nats"
integration = Integration("nats-py", supports="nats-py>=2.3,<3", errors=error_classes())
_OF_A_PLACE = frozenset({SPAN, HOP, INBOUND, BAGGAGE})


# -- out ----------------------------------------------------------------------------------------


def _around() -> ActiveHop | None:
    """The hop that the library is sending already: it calls itself, and nobody else meanwhile."""
    outer = next(under_way(), None)
    if not isinstance(outer, ActiveHop) or outer.hop.system != SYSTEM or outer.ended:
        return None
    return outer if outer.kind in OUTBOUND else None


def _send(call: Call, client: Any) -> Hop | None:
    subject = call["subject"]
    if internal(client, subject) or _around() is not None:
        return None
    return outgoing(
        SYSTEM,
        subject,
        carrier=carrier(call, client),
        broker=broker(client),
        template=bounded(subject),
    )


@integration.sends("nats.aio.client:Client.publish")
def publish(call: Call) -> Hop | None:
    return _send(call, call.instance)


@integration.sends("nats.js.client:JetStreamContext.publish")
def publish_to_stream(call: Call) -> Hop | None:
    return _send(call, call.instance._nc)


def acknowledged(hop: ActiveHop, future: Any) -> None:
    future.add_done_callback(lambda _: hop.end(getattr(future, "_exception", None)))


if hasattr(JetStreamContext, "publish_async"):  # since 2.8
    integration.sends("nats.js.client:JetStreamContext.publish_async", ends=acknowledged)(
        publish_to_stream
    )


def answered(hop: ActiveHop, answer: Msg) -> None:
    hop.answered(headers_of(answer).get(names.SERVER_TIMING))


@integration.calls("nats.aio.client:Client.request", answered=answered)
def ask(call: Call) -> Hop | None:
    client, subject = call.instance, call["subject"]
    if internal(client, subject) or _around() is not None:
        return None
    return request(
        SYSTEM,
        subject,
        carrier=carrier(call, client),
        broker=broker(client),
        template=bounded(subject),
    )


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


# -- in -----------------------------------------------------------------------------------------


def received(message: Msg, subscription: Any = None) -> Hop | None:
    client: Any = message._client
    if internal(client, message.subject):
        return None
    if subscription is None:
        subscription = client._subs.get(getattr(message, "_sid", None))
    subscribed, group = consumer_of(subscription)
    delivery = Delivery.of(message)
    headers = headers_of(message)
    return incoming(
        SYSTEM,
        message.subject,
        carrier=headers,
        template=bounded(message.subject, subscribed),
        sent_at=delivery.sent_at,
        group=group,
        message_id=headers.get("nats-msg-id") or delivery.sequence,
        delivered=delivery.number,
        delivery=message,
        request=is_request(message),
    )


integration.describes(Msg)(received)


@integration.processes_callback("nats.aio.subscription:Subscription.__init__", parameter="cb")
def called(subscription: Subscription, message: Msg) -> Hop | None:
    return received(message, subscription)


@integration.wraps("nats.aio.subscription:Subscription._start")
def started(wrapped: Any, subscription: Any, args: Any, kwargs: Any) -> Any:
    """The task that calls the handler outlives what is current where somebody subscribes."""
    kept = {key: value for key, value in get_current().items() if key not in _OF_A_PLACE}
    token = attach(Context(kept))
    try:
        return wrapped(*args, **kwargs)
    finally:
        detach(token)


@integration.processes_each(
    "nats.aio.subscription:_SubscriptionMessageIterator.__anext__",
    closed=("nats.aio.subscription:_SubscriptionMessageIterator._cancel",),
)
def iterated(message: Msg, iterator: Any) -> Hop | None:
    return received(message, iterator._sub)


@integration.processes_each("nats.aio.subscription:Subscription.next_msg")
def returned(message: Msg, subscription: Any) -> Hop | None:
    return None if subscription in pulled else received(message, subscription)


@integration.asks("nats.aio.subscription:Subscription._stop_processing")
def stopped(call: Call) -> None:
    subscription = getattr(call.instance, "_sub", call.instance)
    forget(id(subscription))
    if subscription._cb is None:  # a handler that unsubscribes goes on
        integration.loops.closed(subscription)


@integration.asks("nats.aio.client:Client._close")
def closed(call: Call) -> None:
    for subscription in call.instance._subs.values():
        forget(id(subscription))
        integration.loops.closed(subscription)


# -- consumers of streams -----------------------------------------------------------------------

one_by_one = Loop(integration, received)


@integration.finds(JetStreamContext.PullSubscription)
def pulls(subscription: Any) -> None:
    pulled[subscription._sub] = "", subscription._consumer


@integration.wraps(
    "nats.js.client:JetStreamContext.pull_subscribe_bind",
    "nats.js.client:JetStreamContext.pull_subscribe",
)
async def pull(wrapped: Any, context: Any, args: Any, kwargs: Any) -> Any:
    subscription = await wrapped(*args, **kwargs)
    integration._guarded(_pulled, subscription, Call.of(wrapped, context, args, kwargs))
    return subscription


def _pulled(subscription: Any, call: Call) -> None:
    asked = ("subject", "durable", "consumer", "config")  # by either function, in any version
    said = {name: call[name] for name in asked if name in call}
    durable = getattr(said.get("config"), "durable_name", None)
    group = said.get("durable") or said.get("consumer") or durable
    pulled[subscription._sub] = said.get("subject") or "", group or ""  # else its name is made up
    if group:
        watch(subscription, group)


@integration.observes("nats.js.client:JetStreamContext.subscribe_bind")
def pushed(_: Any, subscription: Any) -> None:
    _, group = consumer_of(subscription)
    if group:
        watch(subscription, group)


@integration.wraps("nats.js.client:JetStreamContext.PullSubscription.fetch")
async def fetch(wrapped: Any, subscription: Any, args: Any, kwargs: Any) -> Any:
    source = subscription._sub  # which is told when the client is closed
    one_by_one.asked(source)
    messages = await wrapped(*args, **kwargs)
    if Call.of(wrapped, subscription, args, kwargs)["batch"] != 1:
        return integration.handed(messages, subscription, received)
    for message in messages:
        one_by_one.hands_out(message, subscription, source)
    return messages
