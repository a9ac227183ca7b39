"""WebSockets in ASGI: the handshake, and messages that carry context if both sides agree."""

from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.harness.asgi import AsgiHarness
from tests.integrations.websocket_talk import eventually

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


class Echo(AsgiHarness):
    """`/rooms/{room}/text` and `/bytes` echo, `/refuse` does not accept."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[int] = []

    def application(self) -> Any:
        async def text(socket: WebSocket) -> None:
            await socket.accept(headers=[(b"x-own", b"1")])
            async for message in socket.iter_text():
                self.inside.append(get_current_span().get_span_context().span_id)
                if message == "bad":
                    raise LookupError("on purpose")
                await socket.send_text(message)

        async def data(socket: WebSocket) -> None:
            await socket.accept()
            async for message in socket.iter_bytes():
                await socket.send_bytes(message)

        async def refuse(socket: WebSocket) -> None:
            await socket.close()

        routes = [WebSocketRoute("/{room}/text", text), WebSocketRoute("/{room}/bytes", data)]
        return Starlette(routes=[Mount("/rooms", routes=routes), WebSocketRoute("/refuse", refuse)])

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


def recording(envelope: bool = True) -> Any:
    return capture("tested", integrations=["starlette", "websockets"], websocket_envelope=envelope)


async def consumed(telemetry: Telemetry, count: int) -> None:
    await eventually(lambda: len(telemetry.matching(kind=CONSUMER)) >= count)


async def test_a_message_is_a_hop_where_both_have_agreed() -> None:
    """PRODUCER, then CONSUMER with the handler's code inside, below the route's template."""
    with recording() as telemetry:
        async with Echo() as server, connect(server.url("/rooms/7/text")) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            assert socket.response is not None
            assert socket.response.headers["x-own"] == "1"
            await consumed(telemetry, 1)
        await consumed(telemetry, 2)

    first, answer = sorted(telemetry.matching(kind=PRODUCER), key=lambda span: span.start_time or 0)
    handled = {s.parent.span_id: s for s in telemetry.matching(kind=CONSUMER) if s.parent}
    assert server.inside == [handled[first.context.span_id].context.span_id]
    assert answer.context.span_id in handled
    assert {span.name for span in telemetry.spans} == {
        "GET",
        "GET /rooms/{room}/text",
        "send /rooms/{room}/text",
        "process /rooms/{room}/text",
    }
    edge = {"client": "tested", "server": "tested", "transport": "websocket"}
    assert telemetry.count(names.HOP_DURATION, side="consumer", **edge) == 2


@pytest.mark.parametrize("envelope", [True, False])
async def test_every_message_arrives_as_it_was(envelope: bool) -> None:
    """Text stays text and bytes stay bytes, with envelopes and without."""
    with recording(envelope) as telemetry:
        async with Echo() as server:
            async with connect(server.url("/rooms/7/text")) as socket:
                for text in ("", '{"é": 1}', "otelkit/1\n\n"):
                    await socket.send(text)
                    assert await socket.recv() == text
            async with connect(server.url("/rooms/7/bytes")) as socket:
                for data in (b"", b"\x00\xff", b"otelkit/1\n\n"):
                    await socket.send(data)
                    assert await socket.recv() == data

    assert bool(telemetry.matching(kind=CONSUMER)) is envelope


async def test_what_the_handler_raises_is_its_messages_error() -> None:
    """The handshake was fine; the message that was being handled was not."""
    with recording() as telemetry:
        async with Echo() as server, connect(server.url("/rooms/7/text")) as socket:
            await socket.send("bad")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            await consumed(telemetry, 1)

    span = telemetry.span(kind=CONSUMER)
    assert (span.attributes or {})[names.ERROR_TYPE] == "LookupError"
    assert telemetry.span(kind=SERVER).status.status_code is StatusCode.UNSET


async def test_a_refusal_is_a_hop_of_status_403() -> None:
    """As the server answers it, at both sides."""
    with recording() as telemetry:
        async with Echo() as server:
            with pytest.raises(InvalidStatus):
                await connect(server.url("/refuse"))
            await server.settled()

    for side in ("client", "server"):
        assert telemetry.count(names.HOP_DURATION, side=side, error_class="client_error") == 1


async def test_a_client_that_offers_nothing_gets_no_envelope() -> None:
    """Of two sides one that wants them is not enough."""
    sent: list[Any] = []
    arriving = iter(
        [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "otelkit/1\n\n"}]
    )

    async def receive() -> Any:
        return next(arriving, {"type": "websocket.disconnect", "code": 1000})

    async def send(message: Any) -> None:
        sent.append(message)

    app = Echo().application()
    scope = {"type": "websocket", "path": "/rooms/7/text", "headers": [], "query_string": b""}
    with recording() as telemetry:
        await app(scope, receive, send)

    assert sent == [
        {"type": "websocket.accept", "subprotocol": None, "headers": [(b"x-own", b"1")]},
        {"type": "websocket.send", "text": "otelkit/1\n\n"},
    ]
    assert len(telemetry.spans) == 1
