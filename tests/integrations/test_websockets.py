"""What is peculiar to websockets: handshakes, and messages with context if both sides agree."""

import asyncio
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.trace import SpanKind, StatusCode
from websockets.exceptions import ConnectionClosed, InvalidStatus

from otel_kit import names
from otel_kit.hops.envelope import LONGEST
from otel_kit.testing import Telemetry, capture
from tests.integrations.websocket_talk import KINDS, Asyncio, Threads, eventually

Kind = Asyncio | Threads
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


def recording(envelope: bool = True) -> Any:
    return capture("tested", integrations=["websockets"], websocket_envelope=envelope)


async def consumed(telemetry: Telemetry, count: int) -> None:
    await eventually(lambda: len(telemetry.matching(kind=CONSUMER)) >= count)


@kinds
async def test_a_connection_is_one_hop_of_its_handshake(kind: Kind) -> None:
    """One span at each side, ended while the connection is open; no message is a hop."""
    inside: list[int] = []
    with recording(envelope=False) as telemetry:
        tell = lambda _: inside.append(trace.get_current_span().get_span_context().span_id)  # noqa: E731
        async with kind.server(tell) as port, kind.client(f"ws://127.0.0.1:{port}/a?b=c") as talk:
            await talk.send("hello")
            assert await talk.recv() == "hello"
            client, server = telemetry.span(kind=CLIENT), telemetry.span(kind=SERVER)

    assert server.parent is not None
    assert server.parent.span_id == client.context.span_id
    assert inside == [server.context.span_id]
    attributes = dict(client.attributes or {})
    assert attributes[names.HTTP_RESPONSE_STATUS_CODE] == 101
    assert attributes[names.PEER_NAME] == "tested"
    assert attributes[names.URL_FULL] == f"ws://127.0.0.1:{port}/a"
    assert len(telemetry.spans) == 2
    assert telemetry.points(names.HTTP_SERVER_DURATION) == []
    assert telemetry.count(names.HOP_DURATION, transport="http") == 2


@kinds
async def test_a_message_is_a_hop_where_both_have_agreed(kind: Kind) -> None:
    """PRODUCER, then CONSUMER below it with the handler's code inside, linked to its connection."""
    inside: list[int] = []
    with recording() as telemetry:
        tell = lambda _: inside.append(trace.get_current_span().get_span_context().span_id)  # noqa: E731
        async with kind.server(tell) as port, kind.client(f"ws://127.0.0.1:{port}/") as talk:
            await talk.send("hello")
            assert await talk.recv() == "hello"
        await consumed(telemetry, 2)

    first, answer = sorted(telemetry.matching(kind=PRODUCER), key=lambda span: span.start_time or 0)
    spans = {span.parent.span_id: span for span in telemetry.matching(kind=CONSUMER) if span.parent}
    handled = spans[first.context.span_id]
    assert inside == [handled.context.span_id]
    assert [link.context.span_id for link in handled.links] == [
        telemetry.span(kind=SERVER).context.span_id
    ]
    assert answer.parent is not None
    assert answer.parent.span_id == handled.context.span_id
    assert answer.context.span_id in spans
    attributes = dict(handled.attributes or {})
    assert attributes[names.MESSAGING_SYSTEM] == "websocket"
    assert attributes[names.MESSAGING_DESTINATION] == "/{path}"
    assert attributes[names.SPAN_PROPAGATION] == "continued"
    edge = {"client": "tested", "server": "tested", "transport": "websocket"}
    assert telemetry.count(names.HOP_DURATION, side="consumer", **edge) == 2
    assert telemetry.count(names.QUEUE_DURATION, **edge) == 2


TEXT_AND_BYTES = [
    "text",
    "",
    '{"order": 42, "é": "✓"}',
    b"",
    b"\x00\xff\xfe",
    "otelkit/1\n\n",
    b"otelkit/1\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\nx",
]


@kinds
@pytest.mark.parametrize("envelope", [True, False])
async def test_every_message_arrives_as_it_was(kind: Kind, envelope: bool) -> None:
    """Text stays text and bytes stay bytes, also if they look like an envelope."""
    told: list[Any] = []
    with recording(envelope) as telemetry:
        async with kind.server(told.append) as port, kind.client(f"ws://127.0.0.1:{port}/") as talk:
            for message in TEXT_AND_BYTES:
                await talk.send(message)
                assert await talk.recv() == message
        if envelope:
            await consumed(telemetry, 2 * len(TEXT_AND_BYTES))

    assert told == TEXT_AND_BYTES
    assert len(telemetry.matching(kind=CONSUMER)) == 2 * len(TEXT_AND_BYTES) * envelope


@kinds
async def test_all_forms_of_sending_and_receiving(kind: Kind) -> None:
    """Buffers, forced types, fragments, undecoded text: as the library has them."""
    told: list[Any] = []
    with recording():
        async with kind.server(told.append) as port, kind.client(f"ws://127.0.0.1:{port}/") as talk:
            await talk.send(memoryview(b"buffer"))
            assert await talk.recv() == b"buffer"
            await talk.send(b"text", text=True)
            assert await talk.recv(decode=False) == b"text"
            await talk.send("bytes", text=False)
            assert await talk.recv(decode=True) == "bytes"
            await talk.send(iter(["frag", "ments"]))
            assert "".join(await talk.recv_streaming()) == "fragments"
            with pytest.raises(TypeError):
                await talk.send({"a": "mapping"})
            with pytest.raises(TypeError):
                await talk.send(7)

    assert told == [b"buffer", "text", b"bytes", "fragments"]


async def test_fragments_may_come_from_an_asynchronous_iterable() -> None:
    """Its first part carries the context, and all of them are one message."""

    async def parts() -> Any:
        yield b"frag"
        yield b"ments"

    with recording() as telemetry:
        async with (
            Asyncio().server() as port,
            Asyncio().client(f"ws://127.0.0.1:{port}/") as talk,
        ):
            await talk.send(parts())
            assert await talk.recv() == b"fragments"
        await consumed(telemetry, 2)

    results = {
        (s.attributes or {})[names.SPAN_PROPAGATION] for s in telemetry.matching(kind=CONSUMER)
    }
    assert results == {"continued"}


@kinds
async def test_a_message_of_the_greatest_size_still_passes(kind: Kind) -> None:
    """The receiver's limit is the application's: the envelope has room beside it."""
    token = context.attach(baggage.set_baggage("much", "x" * 3000))
    try:
        with recording():
            async with (
                kind.server(max_size=5000) as port,
                kind.client(f"ws://127.0.0.1:{port}/", max_size=5000) as talk,
            ):
                await talk.send(b"x" * 5000)
                assert await talk.recv() == b"x" * 5000
                await talk.send(b"x" * (5001 + LONGEST))
                with pytest.raises(ConnectionClosed, match="1009"):
                    await talk.recv()
    finally:
        context.detach(token)


@kinds
async def test_a_handler_that_fails_ends_its_message_as_an_error(kind: Kind) -> None:
    """What the handler raises is the error of the message that it was handling."""

    def fail(_: Any) -> None:
        raise LookupError("on purpose")

    with recording() as telemetry:
        async with kind.server(fail) as port, kind.client(f"ws://127.0.0.1:{port}/") as talk:
            await talk.send("bad")
            with pytest.raises(ConnectionClosed, match="1011"):
                await talk.recv()
        await consumed(telemetry, 1)

    span = telemetry.span(kind=CONSUMER)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[names.ERROR_TYPE] == "LookupError"


@kinds
async def test_a_refusal_has_its_status(kind: Kind) -> None:
    """What the server answers instead of a connection is the hop's status, at both sides."""

    def refuse(connection: Any, _request: Any) -> Any:
        return connection.respond(404, "not here")

    with recording() as telemetry:
        async with kind.server(process_request=refuse) as port:
            with pytest.raises(InvalidStatus):
                async with kind.client(f"ws://127.0.0.1:{port}/"):
                    pass
        await eventually(lambda: bool(telemetry.matching(kind=SERVER)))

    for side in ("client", "server"):
        assert telemetry.count(names.HOP_DURATION, side=side, error_class="client_error") == 1
    assert (telemetry.span(kind=CLIENT).attributes or {})[names.PEER_NAME] == "tested"
    assert telemetry.span(kind=SERVER).status.status_code is StatusCode.UNSET


@kinds
async def test_nobody_there_is_a_failed_hop(kind: Kind) -> None:
    """A connection that is refused by the network is the client's own failure."""
    with recording() as telemetry, pytest.raises(ConnectionRefusedError):
        async with kind.client("ws://127.0.0.1:1/"):
            pass

    assert telemetry.count(names.HOP_DURATION, side="client", error_class="connection") == 1
    assert (telemetry.span(kind=CLIENT).attributes or {})[names.PEER_NAME] == "127.0.0.1:1"


@kinds
async def test_callbacks_of_the_handshake_are_called_as_ever(kind: Kind) -> None:
    """The application's own, with its exceptions and its changes of the answer."""

    def asked(_connection: Any, request: Any) -> None:
        if request.path == "/bad":
            raise LookupError("on purpose")

    def answering(_connection: Any, _request: Any, response: Any) -> None:
        response.headers["X-Own"] = "1"

    with recording() as telemetry:
        async with kind.server(process_request=asked, process_response=answering) as port:
            async with kind.client(f"ws://127.0.0.1:{port}/") as talk:
                own = talk.connection.response.headers["X-Own"]  # type: ignore[attr-defined]
            with pytest.raises(InvalidStatus):
                async with kind.client(f"ws://127.0.0.1:{port}/bad"):
                    pass
        await eventually(lambda: len(telemetry.matching(kind=SERVER)) == 2)

    assert own == "1"
    assert telemetry.count(names.HOP_DURATION, side="server", error_class="server_error") == 1


async def test_callbacks_may_be_coroutines() -> None:
    """So they may be with asyncio, and their answer counts."""

    async def asked(_connection: Any, _request: Any) -> None:
        await asyncio.sleep(0)

    async def answering(connection: Any, _request: Any, _response: Any) -> Any:
        return connection.respond(503, "later")

    with recording() as telemetry:
        async with Asyncio().server(process_request=asked, process_response=answering) as port:
            with pytest.raises(InvalidStatus):
                async with Asyncio().client(f"ws://127.0.0.1:{port}/"):
                    pass

    assert telemetry.count(names.HOP_DURATION, side="server", error_class="unavailable") == 1


@kinds
async def test_the_callers_headers_are_not_changed(kind: Kind) -> None:
    """They go out beside ours, and the object may be used again."""
    headers = {"X-Own": "1", "baggage": "theirs=1"}
    token = context.attach(baggage.set_baggage("ours", "1"))
    with recording():
        async with kind.server() as port:
            for _ in range(2):
                async with kind.client(
                    f"ws://127.0.0.1:{port}/", additional_headers=headers
                ) as talk:
                    sent = talk.connection.request.headers  # type: ignore[attr-defined]
    context.detach(token)

    assert headers == {"X-Own": "1", "baggage": "theirs=1"}
    assert sent["X-Own"] == "1"
    assert set(",".join(sent.get_all("baggage")).split(",")) == {"theirs=1", "ours=1"}


@kinds
async def test_no_context_is_left_behind(kind: Kind) -> None:
    """A client's context is what it was, when its connection is closed."""
    with recording():
        before = context.get_current()
        async with kind.server() as port, kind.client(f"ws://127.0.0.1:{port}/") as talk:
            assert before is context.get_current()
            await talk.send("hello")
            assert before is context.get_current()
            await talk.recv()
            assert before is not context.get_current()
        assert before is context.get_current()


async def test_a_routed_server_tells_its_templates() -> None:
    """With `route` the hop and the messages of both sides are named by the template."""
    router = pytest.importorskip("websockets.asyncio.router", reason="websockets 15")
    from werkzeug.routing import Map, Rule

    async def echo(connection: Any, room: str, number: int) -> None:
        await connection.send(f"{room} {number} {await connection.recv()}")

    rules = Map([Rule("/rooms/<room>/<int:number>", endpoint=echo)])
    with recording() as telemetry:
        async with router.route(rules, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Asyncio().client(f"ws://127.0.0.1:{port}/rooms/blue/7") as talk:
                await talk.send("x")
                assert await talk.recv() == "blue 7 x"
        await consumed(telemetry, 2)

    assert telemetry.span(kind=SERVER).name == "GET /rooms/<room>/<number>"
    assert {span.name for span in telemetry.matching(kind=PRODUCER)} == {
        "send /rooms/<room>/<number>"
    }
    assert {span.name for span in telemetry.matching(kind=CONSUMER)} == {
        "process /rooms/<room>/<number>"
    }
