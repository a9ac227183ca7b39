"""nats-py: what arrives, by callbacks, iterators, `next_msg` and `fetch`."""

from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.client import JetStreamContext
from opentelemetry.context import Context, attach, detach, get_current

from otel_kit.hops import Hop, incoming
from otel_kit.hops.keys import BAGGAGE, HOP, INBOUND, SPAN
from otel_kit.integrations._inbound import Loop
from otel_kit.integrations._nats import (
    SYSTEM,
    Delivery,
    bounded,
    consumer_of,
    headers_of,
    integration,
    internal,
    is_request,
    pulled,
)
from otel_kit.integrations._nats_queues import forget, watch
from otel_kit.integrations._shape import Call

_OF_A_PLACE = frozenset({SPAN, HOP, INBOUND, BAGGAGE})


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
    _closed(getattr(call.instance, "_sub", call.instance))


@integration.asks("nats.aio.client:Client._close")
def closed(call: Call) -> None:
    for subscription in call.instance._subs.values():
        _closed(subscription)


def _closed(subscription: Any) -> None:
    forget(id(subscription))
    if subscription._cb is None:  # a handler that unsubscribes goes on
        integration.loops.closed(subscription)
        integration.loops.closed(getattr(subscription._jsi, "_psub", None))  # before 2.6


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
    said = {name: call[name] for name in asked if call.takes(name)}
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
    asked = integration._guarded(Call.of, wrapped, subscription, args, kwargs)
    if asked is None or asked["batch"] != 1:
        return integration.handed(messages, subscription, received)
    for message in messages:
        one_by_one.hands_out(message, subscription, source)
    return messages
