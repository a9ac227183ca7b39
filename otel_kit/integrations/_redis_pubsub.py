"""
redis-py's channels, whose messages have no headers: hops only where the user says so.

`OTEL_KIT_ENVELOPES=redis-pubsub:orders.*` names channels (or the patterns that are subscribed to)
whose messages go out with their context in front, in an envelope.  Whoever receives one must have
the kit, which takes it off.  A message that a `PubSub` hands out is handled until it is asked for
the next; a handler, until it returns.  Whoever subscribes by a pattern sees that as destination.
"""

from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from otel_kit.hops import ActiveHop, Hop, incoming, process
from otel_kit.hops.envelope import unwrap
from otel_kit.hops.latest import Latest
from otel_kit.integrations._redis import REMEMBERED, SYSTEM, ByClient, integration, text
from otel_kit.integrations._redis_envelopes import a_send, enclosed, opted
from otel_kit.integrations._redis_pipelines import sent
from otel_kit.integrations._shape import Call

PUBSUB = "redis-pubsub"
_PUBSUB = "redis.commands.core:PubSubCommands"


def enclose_message(hop: ActiveHop, call: Call) -> None:
    call["message"] = enclosed(call["message"], hop.hop)


@integration.sends(f"{_PUBSUB}.publish", ends=sent, begun=enclose_message)
def publish(call: Call) -> Hop | None:
    return a_send(PUBSUB, call["channel"], call.instance)


@integration.sends(f"{_PUBSUB}.spublish", ends=sent, begun=enclose_message)
def publish_to_shard(call: Call) -> Hop | None:
    return a_send(PUBSUB, call["shard_channel"], call.instance)


class _Published(NamedTuple):
    destination: str
    context: dict[str, str]

    def hop(self, channel: Any) -> Hop:
        return incoming(SYSTEM, self.destination, carrier=self.context, delivery=channel)


_published: Latest[_Published] = Latest(REMEMBERED)
"""By the very object that is a message's channel: the message is a plain dict."""
_HANDLERS = {"message": "channels", "pmessage": "patterns", "smessage": "shard_channels"}


def received(message: Any) -> Hop | None:
    channel = message.get("channel")
    found = None if channel is None else _published.get(channel)
    return None if found is None else found.hop(channel)


_SYNC, _ASYNC = "redis.client:PubSub", "redis.asyncio.client:PubSub"


@integration.wraps(f"{_SYNC}.handle_message", f"{_ASYNC}.handle_message", always=True)
def handled(wrapped: Any, pubsub: Any, args: Any, kwargs: Any) -> Any:
    arrived = integration._guarded(_arrived, wrapped, pubsub, args, kwargs)
    if arrived is None:
        return wrapped(*args, **kwargs)
    call, hop = arrived
    if iscoroutinefunction(wrapped):
        return _handled(wrapped, call, hop)
    if hop is None:
        return _handed_out(call.proceed(wrapped), pubsub)
    with process(hop):
        return call.proceed(wrapped)


async def _handled(wrapped: Any, call: Call, hop: Hop | None) -> Any:
    if hop is None:
        return _handed_out(await call.proceed(wrapped), call.instance)
    with process(hop):
        return await call.proceed(wrapped)


def _handed_out(message: Any, pubsub: Any) -> Any:
    return ByClient(lambda message, _: received(message), pubsub).hands_out(message, pubsub)


def _arrived(wrapped: Any, pubsub: Any, args: Any, kwargs: Any) -> tuple[Call, Hop | None] | None:
    """The call with the message out of its envelope, and its hop if a handler is to be called."""
    call = Call.of(wrapped, pubsub, args, kwargs)
    response = call["response"]
    kind = text(response[0]) if isinstance(response, list) else ""
    if kind not in _HANDLERS:
        return None
    data, context = unwrap(response[-1])
    subscribed, channel = response[1], response[-2]
    if not context and not opted(PUBSUB, subscribed):
        return None
    call["response"] = [*response[:-1], data]
    published = _Published(text(subscribed), context)
    _published.put(channel, published)
    has_handler = getattr(pubsub, _HANDLERS[kind], {}).get(subscribed) is not None
    return call, published.hop(channel) if has_handler else None


@integration.asks(
    "redis.client:PubSub.parse_response", "redis.asyncio.client:PubSub.parse_response"
)
def next_asked(call: Call) -> None:
    integration.loops.asked_again(call.instance)


@integration.asks(f"{_SYNC}.reset", f"{_ASYNC}.aclose")
def closed(call: Call) -> None:
    if integration.loops.handling(call.instance):
        integration.loops.closed(call.instance)
