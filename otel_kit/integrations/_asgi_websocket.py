"""ASGI's WebSockets: the hop of the handshake ends where it does, and messages may be hops.

What the application does on the connection afterwards is below the handshake's span, which has
ended; with envelopes agreed upon, below the message that it handles: that lasts until the next is
asked for, or the application returns.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from otel_kit import names
from otel_kit.hops import ActiveHop, send
from otel_kit.hops.carriers import BytesPairs
from otel_kit.hops.loops import Loops
from otel_kit.integrations._websocket import (
    HEADER,
    Agreement,
    accepted,
    answer,
    unwrapped,
    wrapped,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]
_HEADER: Final = HEADER.lower().encode()
_SERVER_TIMING: Final = names.SERVER_TIMING.encode()
_loops = Loops()


class Connection:
    """A connection, from its handshake on.  `routed()` tells the hop its route, and returns it."""

    def __init__(
        self,
        guard: Callable[..., Any],
        hop: ActiveHop,
        headers: Any,
        routed: Callable[[], str | None],
        receive: Receive,
        send: Send,
    ) -> None:
        self._guard, self._hop, self._headers, self._routed = guard, hop, headers, routed
        self._receive, self._send = receive, send
        self._agreement: Agreement | None = None
        self._open = False

    async def run(self, app: App, scope: Any) -> None:
        """Let the application have the connection."""
        try:
            await app(scope, self.receive, self.send)
        finally:
            self._guard(_loops.closed, self)
            self._routed = lambda: None  # no cycle for the garbage collector

    async def receive(self) -> Message:
        self._guard(_loops.asked_again, self)
        message = await self._receive()
        if self._agreement is None or message["type"] != "websocket.receive":
            return message
        kind = "bytes" if message.get("text") is None else "text"
        payload, context = unwrapped(message.get(kind))
        self._guard(_loops.handed_out, self, self._agreement.received(context))
        return {**message, kind: payload}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            await self._send(self._guard(self._accepting, message) or message)
            self._end(101)
        elif kind == "websocket.send" and self._agreement is not None:
            await self._send_enveloped(message, self._agreement)
        else:
            await self._send(message)
            if kind == "websocket.close" and not self._open:
                self._end(403)  # as the server answers it

    def _accepting(self, message: Message) -> Message:
        offer = BytesPairs(list(self._headers)).get(HEADER.lower())
        self._agreement = accepted(offer, self._routed())
        ours = []
        if self._agreement is not None:
            ours.append((_HEADER, answer(self._agreement).encode()))
        if (reply := self._hop.reply()) is not None:
            ours.append((_SERVER_TIMING, reply.encode()))
        return {**message, "headers": [*(message.get("headers") or ()), *ours]} if ours else message

    def _end(self, status: int) -> None:
        self._open = True
        self._guard(self._routed)
        self._hop.status(status)
        self._hop.end()

    async def _send_enveloped(self, message: Message, agreement: Agreement) -> None:
        kind = "bytes" if message.get("text") is None else "text"
        hop = agreement.sent()
        with send(hop):
            payload = self._guard(wrapped, message.get(kind), hop.carrier)
            await self._send(message if payload is None else {**message, kind: payload})
