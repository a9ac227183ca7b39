"""WebSockets: what both sides of a connection agree upon in its handshake, and their messages.

The handshake is an HTTP request.  A client that wants context in its messages offers it there by
`Otelkit-Envelope: 1`; a server that wants it too answers `Otelkit-Envelope: 1;<route>`.  Only then
are messages put into envelopes (`otel_kit.hops.envelope`), in both directions: whoever does not
know of them never sees one.  A message is a hop for both, and its destination is that route.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_kit.hops import Hop, current, incoming, outgoing
from otel_kit.hops.envelope import VERSION, unwrap, wrap
from otel_kit.hops.wire import decode_name, encode_name

HEADER: Final = "Otelkit-Envelope"
OFFER: Final = VERSION
ANY: Final = "/{path}"
"""The route of a server that does not tell one path from another."""
_SYSTEM: Final = "websocket"
_WHOLE = (str, bytes, bytearray, memoryview)


class Context(dict[str, str]):
    """What came with a message, or goes with it; a message is known by its own."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """That the messages of a connection are in envelopes."""

    route: str
    address: str | None = None
    """`host:port` of the server, at the client."""

    def sent(self) -> Hop:
        """The hop of a message that is sent."""
        return outgoing(_SYSTEM, self.route, carrier=Context(), broker=self.address)

    def received(self, context: Context) -> Hop:
        """The hop of a message that was received."""
        return incoming(_SYSTEM, self.route, carrier=context, delivery=context)


def wanted() -> bool:
    """Whether this service wants envelopes."""
    runtime = current()
    return runtime is not None and runtime.websocket_envelope


def accepted(offer: str | None, route: str | None) -> Agreement | None:
    """What a server makes of a client's header."""
    return Agreement(route or ANY) if offer == OFFER and wanted() else None


def answer(agreement: Agreement) -> str:
    """The server's header, which the client reads by `answered`."""
    return f"{VERSION};{encode_name(agreement.route)}"


def answered(offer: str | None, said: str | None, address: str | None) -> Agreement | None:
    """What a client makes of the server's header, if it has offered envelopes."""
    version, _, route = (said or "").partition(";")
    if offer != OFFER or version != VERSION:
        return None
    return Agreement(decode_name(route) or ANY, address)


def wrapped(message: Any, context: Mapping[str, str]) -> Any:
    """A message in its envelope; of one in fragments the first.  The library refuses all else."""
    if isinstance(message, _WHOLE):
        return wrap(message, context)
    if isinstance(message, Mapping):
        return message
    if isinstance(message, AsyncIterable):
        return _afragments(message, context)
    return _fragments(message, context) if isinstance(message, Iterable) else message


def _fragments(message: Iterable[Any], context: Mapping[str, str]) -> Iterator[Any]:
    first = True
    for part in message:
        yield wrap(part, context) if first and isinstance(part, _WHOLE) else part
        first = False


async def _afragments(
    message: AsyncIterable[Any], context: Mapping[str, str]
) -> AsyncIterator[Any]:
    first = True
    async for part in message:
        yield wrap(part, context) if first and isinstance(part, _WHOLE) else part
        first = False


def unwrapped(received: Any) -> tuple[Any, Context]:
    """A message without its envelope, and what came with it."""
    payload, context = unwrap(received)
    return payload, Context(context)
