"""Webhooks: events that are delivered to a subscriber by HTTP, and tried again until it has them.

A delivery is one hop, however many requests it takes: a CLIENT span at the sender (transport
`webhook`), below which each attempt has a span if tenacity or stamina makes it.  The requests make
no hops of their own, they carry the delivery's headers.  At the receiver the event is handled in a
CONSUMER span, within the one that its framework's integration makes of the request.

Context travels in headers only: the body, and a signature over it, stay what they are.  They do not
change from `deliver()` on, so that those too may be signed.  Of Standard Webhooks' headers
`webhook-id` and `webhook-timestamp` are read.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, call, current, incoming, process
from otel_kit.hops.carriers import AnyHeaders, BytesPairs, Mapped, as_pairs
from otel_kit.hops.hop import Convention
from otel_kit.hops.http import CONVENTION as HTTP
from otel_kit.hops.propagation import TRACEPARENT

SYSTEM: Final = "webhook"
ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
_CONVENTION: Final = Convention(outcome=HTTP.outcome)
_PORTS: Final = {"http": 80, "https": 443}


class Delivery:
    """One event on its way to one subscriber."""

    def __init__(self, headers: dict[str, str], hop: ActiveHop) -> None:
        self.headers: Final = headers
        """To send with every attempt, and, if the scheme wants it, to sign."""
        self._hop = hop

    def answered(self, status: int, headers: AnyHeaders = ()) -> None:
        """How the subscriber answered; instrumented HTTP clients tell it by themselves."""
        try:
            self._hop.status(int(status))
            self._hop.answered(as_pairs(headers).get(names.SERVER_TIMING))
        except Exception as error:  # the guard: telemetry never harms the application
            if (runtime := current()) is not None:
                runtime.broke("answer to a delivery", error)


@contextmanager
def deliver(
    event: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    id: str | None = None,  # noqa: A002 - the standard's word
    created_at: float | None = None,
    trusted: bool = True,
) -> Iterator[Delivery]:
    """The delivery of an event, with all its attempts, to the subscriber at `url`.

        with otel_kit.webhooks.deliver("order.paid", url, id=event.id) as delivery:
            for attempt in tenacity.Retrying(stop=tenacity.stop_after_attempt(5)):
                with attempt:
                    answer = httpx.post(url, content=body, headers=signed(body, delivery.headers))
                    answer.raise_for_status()

    `event` is the event's type, one of not too many; `headers`, which are copied, and `id` (as
    `webhook-id`) are sent along.  `created_at`, in seconds since the epoch, is when the event
    happened: the receiver's dwell is from there on, else from the begin of the delivery.  A
    subscriber who is not `trusted` gets the `traceparent` alone: neither saga nor other baggage,
    nor who we are.
    """
    own = dict(headers or {})
    if id is not None:
        Mapped(own)[ID] = str(id)
    carrier = Mapped(dict(own))
    at = time.time() if created_at is None else created_at
    with call(_outgoing(event, url, carrier, id, at)) as hop:
        yield Delivery(dict(carrier.mapping if trusted else _to_stranger(carrier, own)), hop)


def receive(
    headers: AnyHeaders,
    event: str,
    *,
    id: str | None = None,  # noqa: A002
    created_at: float | None = None,
    sender: str | None = None,
    trusted: bool = True,
) -> ActiveHop:
    """An event that has come: a CONSUMER span around its handling.

    Verify the signature first.  It is mostly one of the body alone, so `trusted=False` is for
    senders of whom it is not known that they may choose one's trace, saga and baggage: these are
    linked to, and the handling is in a trace of its own.  `sender` says who it is, by the secret
    that the signature was made with.

    `created_at`, seconds since the epoch, is when the event happened, if its body says so: what a
    sender with the kit says goes first, and `webhook-timestamp`, the time of the attempt, is the
    last resort.  Say `otel_kit.duplicate()` within for an `id` that has been handled.
    """
    found = _guarded(headers)
    hop = incoming(
        SYSTEM,
        event,
        carrier=found,
        sent_at=_sent_at(found) if created_at is None else created_at,
        message_id=found.get(ID) if id is None else id,
        delivery=object(),  # one that comes again is a new hop
    )
    hop.sender, hop.trusted = sender, trusted
    return process(hop)


def _to_stranger(carrier: Mapped, own: dict[str, str]) -> dict[str, str]:
    """The application's own headers and the trace's id."""
    sent = dict(own)
    if TRACEPARENT in carrier:
        Mapped(sent)[TRACEPARENT] = carrier[TRACEPARENT]
    return sent


def _outgoing(
    event: str,
    url: str,
    carrier: Mapped,
    id: str | None,  # noqa: A002
    created_at: float,
) -> Hop:
    host, port = _address(url)
    known = {names.SERVER_ADDRESS: host, names.SERVER_PORT: port, names.MESSAGING_MESSAGE_ID: id}
    address = f"{host}:{port}" if host and port else host or ""
    return Hop(
        system=SYSTEM,
        operation=f"deliver {event}",
        destination=address,
        carrier=carrier,
        peer=address or None,
        attributes={name: value for name, value in known.items() if value is not None},
        sent_at=created_at,
        convention=_CONVENTION,
    )


def _address(url: str) -> tuple[str | None, int | None]:
    """Host and port; the rest of a subscriber's address may be its secret."""
    try:
        parts = urlsplit(str(url))
        return parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # the HTTP client's to refuse
        return None, None


def _guarded(headers: AnyHeaders) -> BytesPairs:
    try:
        return as_pairs(headers)
    except Exception as error:  # the guard: telemetry never harms the application
        if (runtime := current()) is not None:
            runtime.broke("read a webhook's headers", error)
        return BytesPairs([])


def _sent_at(headers: BytesPairs) -> float | None:
    at = headers.get(TIMESTAMP, "")
    return float(at) if at.isascii() and at.isdigit() and len(at) <= 12 else None
