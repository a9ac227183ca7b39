"""A `Hop` with OpenTelemetry's messaging conventions (development, names as of 1.44).

The conventions link a consumer to its sender by default and allow the sender as parent for a single
message.  The kit takes the parent, because an order must read as one trace, and links for batches.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops.hop import Attributes, Carrier, Convention, Hop

_log = logging.getLogger("otel_kit")
_TYPES = {"request": "send"}
"""The conventions' word for an operation, where that is another."""
M = TypeVar("M")

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
TEMPLATED = replace(
    CONVENTION,
    labels=(
        *(label for label in CONVENTION.labels if label != names.MESSAGING_DESTINATION),
        names.MESSAGING_TEMPLATE,
    ),
)
"""Of a destination whose name has ids in it: metrics have its template only."""


def outgoing(
    system: str,
    destination: str,
    *,
    carrier: Carrier | None,
    broker: str | None = None,
    template: str | None = None,
) -> Hop:
    """A message on its way to `destination` (a topic or queue) at `broker`.

    Who will consume it is not known here, so the server of this edge is the broker: its name in
    `OTEL_KIT_PEERS`, else the system's.  `template` stands for a destination with ids in its name.
    """
    known = _address(broker or "")
    return _message(system, "send", destination, known, template, carrier=carrier, peer=broker)


def request(
    system: str,
    destination: str,
    *,
    carrier: Carrier | None,
    broker: str | None = None,
    template: str | None = None,
) -> Hop:
    """A message whose sender waits for the answer: a `call()`, of one edge with who answers.

    Until that has said who it is, the server of this edge is the destination.
    """
    known = _address(broker or "")
    return _message(system, "request", destination, known, template, carrier=carrier, request=True)


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
    delivered: int = 1,
    template: str | None = None,
    request: bool = False,
    kept: bool = False,
) -> Hop:
    """A message that is being handled.

    `sent_at` is the broker's own timestamp in seconds since the epoch.  `delivery` is an object
    that only this message has, and has only this time: by it `process()` knows what a loop handed
    out.  It is not kept if it can be referred to weakly.  `delivered` counts the deliveries of the
    message, `template` stands for a destination with ids in its name; for `request` and `kept` see
    `Hop`.
    """
    optional = {
        names.MESSAGING_CONSUMER_GROUP: group,
        names.MESSAGING_MESSAGE_ID: message_id,
        names.MESSAGING_PARTITION: None if partition is None else str(partition),
        names.MESSAGING_KAFKA_OFFSET: offset,
        names.SPAN_DELIVERY: delivered if delivered > 1 else None,
    }
    known = {name: value for name, value in optional.items() if value is not None}
    return _message(
        system,
        "process",
        destination,
        known,
        template,
        carrier=carrier,
        sent_at=sent_at,
        group=group or "",
        delivery=delivery,
        request=request,
        kept=kept,
    )


def batch(messages: Sequence[Hop]) -> Hop:
    """Several messages handled at once: one span, with a link to each sender."""
    first = messages[0]
    kept = {k: v for k, v in first.attributes.items() if k in first.convention.labels}
    attributes = {**kept, names.MESSAGING_BATCH_COUNT: len(messages)}
    return replace(
        first,
        carrier=None,
        attributes=attributes,
        parts=tuple(messages),
        delivery=None,
        request=False,
    )


@lru_cache
def _address(broker: str) -> Mapping[str, str | int]:
    host, _, port = broker.rpartition(":")
    if not host or not port.isdigit():
        return {names.SERVER_ADDRESS: broker} if broker else {}
    return {names.SERVER_ADDRESS: host, names.SERVER_PORT: int(port)}


def _message(
    system: str,
    operation: str,
    destination: str,
    known: Attributes,
    template: str | None,
    **said: Any,
) -> Hop:
    bounded = destination if template is None else template
    return Hop(
        system=system,
        operation=f"{operation} {bounded}",
        destination=bounded,
        attributes={
            names.MESSAGING_SYSTEM: system,
            names.MESSAGING_OPERATION_NAME: operation,
            names.MESSAGING_OPERATION_TYPE: _TYPES.get(operation, operation),
            names.MESSAGING_DESTINATION: destination,
            **({} if template is None else {names.MESSAGING_TEMPLATE: template}),
            **known,
        },
        convention=CONVENTION if template is None else TEMPLATED,
        **said,
    )


# -- what a library's own message says --------------------------------------------------------

Description = Callable[[Any], Hop | None]
_descriptions: dict[type, list[Description]] = {}


class Handed(list[M]):
    """A list that a library returned: who iterates over it handles its messages one by one."""

    def as_one(self) -> list[M]:
        """The messages for whom handles them all at once: iterating over them is no loop then."""
        raise NotImplementedError


def describes(message_type: type, description: Description) -> None:
    """Let `process()` accept messages of this type; None of a description: not one of these."""
    _descriptions.setdefault(message_type, []).append(description)


def undescribes(message_type: type, description: Description) -> None:
    """Take it back."""
    left = [each for each in _descriptions.pop(message_type, ()) if each is not description]
    if left:
        _descriptions[message_type] = left


def describe(message: object) -> Hop | None:
    """The hop of a library's message, or of a list of them; None for nothing; logged if unknown."""
    if isinstance(message, Hop):
        return message
    try:
        for ancestor in type(message).__mro__:
            for description in _descriptions.get(ancestor, ()):
                if (hop := description(message)) is not None:
                    return hop
        if isinstance(message, Sequence) and not isinstance(message, (str, bytes)):
            # Who handles a batch at once does not handle its messages one by one.
            messages = message.as_one() if isinstance(message, Handed) else message
            hops = [hop for each in messages if (hop := describe(each)) is not None]
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
