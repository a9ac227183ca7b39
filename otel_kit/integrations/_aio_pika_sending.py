"""aio-pika: what goes out, and the round trips of its RPC pattern."""

from copy import copy
from typing import Any

import wrapt
from aio_pika import Message
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop
from otel_kit.hops.carriers import Mapped
from otel_kit.hops.messaging import request
from otel_kit.hops.nesting import under_way
from otel_kit.integrations._aio_pika import integration, sources
from otel_kit.integrations._rabbitmq import SYSTEM, send_hop
from otel_kit.integrations._shape import Call


class _Outgoing(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """A message, of whatever class, with other headers."""

    def __init__(self, message: Message, headers: dict[str, Any]) -> None:
        super().__init__(message)
        self._self_headers = headers

    @property
    def properties(self) -> Any:
        properties = copy(self.__wrapped__.properties)
        properties.headers = self._self_headers
        return properties


@integration.sends("aio_pika.exchange:Exchange.publish")
def publish(call: Call) -> Hop | None:
    if isinstance(call["message"], _Outgoing):
        return None  # a part of a round trip, see below
    headers = dict(call["message"].headers or {})
    call["message"] = _Outgoing(call["message"], headers)
    exchange = call.instance
    return send_hop(exchange.name, call["routing_key"], headers, _address(exchange.channel))


def _address(channel: Any) -> str | None:
    url = channel._connection.url
    return f"{url.host}:{url.port or 5672}" if url.host else None


# -- round trips: aio_pika.patterns.RPC ---------------------------------------------------------

_asking: dict[str, ActiveHop] = {}
"""The requests that wait for their answers, by their correlation id."""


@integration.calls("aio_pika.patterns.rpc:RPC.call")
def ask(call: Call) -> Hop:
    broker = _address(call.instance.channel)
    return request(SYSTEM, call["method_name"], carrier=Mapped({}), broker=broker)


@integration.observes("aio_pika.patterns.rpc:RPC.create_future")
def asks(_: Any, waiting: tuple[Any, str]) -> None:
    future, number = waiting
    if (hop := _innermost()) is not None and hop.kind is SpanKind.CLIENT:
        _asking[number] = hop
        future.add_done_callback(lambda _: _asking.pop(number, None))


@integration.asks("aio_pika.patterns.rpc:RPC.on_result_message")
def answered(call: Call) -> None:
    message = call["message"]
    if (hop := _asking.get(message.correlation_id)) is not None:
        hop.answered(message.headers.get(names.SERVER_TIMING))


@integration.wraps("aio_pika.exchange:Exchange.publish")
def within_a_round_trip(wrapped: Any, exchange: Any, args: Any, kwargs: Any) -> Any:
    call = integration._guarded(_part, wrapped, exchange, args, kwargs)
    return wrapped(*args, **kwargs) if call is None else call.proceed(wrapped)


def _part(wrapped: Any, exchange: Any, args: Any, kwargs: Any) -> Call | None:
    """The request or the answer of a round trip, with its headers, and no hop of its own."""
    hop, call = _innermost(), Call.of(wrapped, exchange, args, kwargs)
    if hop is None:
        return None
    if hop.kind is SpanKind.CLIENT and isinstance(hop.hop.carrier, Mapped):
        added = dict(hop.hop.carrier.mapping)
    elif hop.kind is SpanKind.SERVER and _answers(hop, exchange.name, call["routing_key"]):
        timing = hop.reply()
        added = {} if timing is None else {names.SERVER_TIMING: timing}
    else:
        return None
    message = call["message"]
    call["message"] = _Outgoing(message, {**(message.headers or {}), **added})
    return call


def _answers(hop: ActiveHop, exchange: str, routing_key: str) -> bool:
    _, reply_to = sources.get(hop.hop.delivery) or ("", None)
    return not exchange and routing_key == reply_to


def _innermost() -> ActiveHop | None:
    hop = next(under_way(), None)
    own = isinstance(hop, ActiveHop) and hop.hop.system == SYSTEM and not hop.ended
    return hop if own else None  # type: ignore[return-value]
