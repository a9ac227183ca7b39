"""A `Hop` with OpenTelemetry's messaging conventions (development, names as of 1.44).

The conventions link a consumer to its sender by default and allow the sender as parent for a single
message.  The kit takes the parent, because an order must read as one trace, and links for batches.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops.hop import Attributes, Carrier, Convention, Hop

_log = logging.getLogger("otel_kit")

CONVENTION = Convention(
    durations={
        SpanKind.PRODUCER: names.MESSAGING_OPERATION_DURATION,
        SpanKind.CONSUMER: names.MESSAGING_PROCESS_DURATION,
    },
    counts={
        SpanKind.PRODUCER: names.MESSAGING_SENT,
        SpanKind.CONSUMER: names.MESSAGING_CONSUMED,
    },
    labels=(
        names.MESSAGING_SYSTEM,
        names.MESSAGING_OPERATION_NAME,
        names.MESSAGING_DESTINATION,
        names.MESSAGING_CONSUMER_GROUP,
        names.SERVER_ADDRESS,
        names.SERVER_PORT,
    ),
)


def outgoing(
    system: str, destination: str, *, carrier: Carrier | None, broker: str | None = None
) -> Hop:
    """A message on its way to `destination` (a topic or queue) at `broker`.

    Who will consume it is not known here, so the server of this edge is the broker: its name in
    `OTEL_KIT_PEERS`, else the system's.
    """
    return _message(
        system, "send", destination, _address(broker or ""), carrier=carrier, peer=broker
    )


def incoming(
    system: str,
    destination: str,
    *,
    carrier: Carrier | None,
    sent_at: float | None = None,
    group: str | None = None,
    message_id: str | None = None,
    partition: int | str | None = None,
    offset: int | None = None,
    delivery: object = None,
) -> Hop:
    """A message that is being handled.

    `sent_at` is the broker's own timestamp in seconds since the epoch.  `delivery` is an object
    that only this message has, and has only this time: by it `process()` knows what a loop handed
    out.  It is not kept if it can be referred to weakly.
    """
    optional = {
        names.MESSAGING_CONSUMER_GROUP: group,
        names.MESSAGING_MESSAGE_ID: message_id,
        names.MESSAGING_PARTITION: None if partition is None else str(partition),
        names.MESSAGING_KAFKA_OFFSET: offset,
    }
    known = {name: value for name, value in optional.items() if value is not None}
    return _message(
        system,
        "process",
        destination,
        known,
        carrier=carrier,
        sent_at=sent_at,
        group=group or "",
        delivery=delivery,
    )


def batch(messages: Sequence[Hop]) -> Hop:
    """Several messages handled at once: one span, with a link to each sender."""
    first = messages[0]
    kept = {k: v for k, v in first.attributes.items() if k in CONVENTION.labels}
    attributes = {**kept, names.MESSAGING_BATCH_COUNT: len(messages)}
    return replace(first, carrier=None, attributes=attributes, parts=tuple(messages), delivery=None)


@lru_cache
def _address(broker: str) -> Mapping[str, str | int]:
    host, _, port = broker.rpartition(":")
    if not host or not port.isdigit():
        return {names.SERVER_ADDRESS: broker} if broker else {}
    return {names.SERVER_ADDRESS: host, names.SERVER_PORT: int(port)}


def _message(system: str, operation: str, destination: str, known: Attributes, **said: Any) -> Hop:
    return Hop(
        system=system,
        operation=f"{operation} {destination}",
        destination=destination,
        attributes={
            names.MESSAGING_SYSTEM: system,
            names.MESSAGING_OPERATION_NAME: operation,
            names.MESSAGING_OPERATION_TYPE: operation,
            names.MESSAGING_DESTINATION: destination,
            **known,
        },
        convention=CONVENTION,
        **said,
    )


# -- what a library's own message says --------------------------------------------------------

_descriptions: dict[type, Callable[[Any], Hop | None]] = {}


def describes(message_type: type, description: Callable[[Any], Hop | None] | None) -> None:
    """Let `process()` accept messages of this type; None takes it back.

    A description may give None: not of these.
    """
    if description is None:
        _descriptions.pop(message_type, None)
    else:
        _descriptions[message_type] = description


def describe(message: object) -> Hop | None:
    """The hop of a library's message, or of a list of them; None for nothing; logged if unknown."""
    if isinstance(message, Hop):
        return message
    try:
        for ancestor in type(message).__mro__:
            if ancestor in _descriptions and (hop := _descriptions[ancestor](message)) is not None:
                return hop
        if isinstance(message, Sequence) and not isinstance(message, (str, bytes)):
            # Who handles a batch at once does not handle its messages one by one.
            members = message.at_once() if hasattr(message, "at_once") else message
            hops = [hop for each in members if (hop := describe(each)) is not None]
            return batch(hops) if hops else None
    except Exception:  # a description must never stop the handler
        _log.warning("otel_kit cannot describe a %s", type(message).__qualname__, exc_info=True)
        return None
    if _descriptions and not _is_nothing(message):
        _log.warning(
            "otel_kit knows no %s: process() leaves it untraced", type(message).__qualname__
        )
    return None


def _is_nothing(message: object) -> bool:
    """What a poll returns that found nothing."""
    return message is None or (isinstance(message, Collection) and not message)
