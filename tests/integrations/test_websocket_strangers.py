"""WebSocket messages between the kit and who does not know it: aiohttp, uninstrumented.

An envelope is only for whoever has said in the handshake that it takes it off.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops.envelope import unwrap
from otel_kit.testing import Telemetry, capture
from tests.integrations.websocket_talk import KINDS, Asyncio, Threads, eventually

Kind = Asyncio | Threads
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)


def recording() -> Any:
    return capture("tested", integrations=["websockets"], websocket_envelope=True)


class Stranger:
    """An echo server; `received` has what came, as it came."""

    def __init__(self, **answer: str) -> None:
        self.answer = {name.replace("_", "-"): value for name, value in answer.items()}
        self.headers: dict[str, str] = {}
        self.received: list[Any] = []

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        socket = web.WebSocketResponse()
        socket.headers.update(self.answer)
        await socket.prepare(request)
        async for message in socket:
            self.received.append(message.data)
            await (socket.send_str if isinstance(message.data, str) else socket.send_bytes)(
                message.data
            )
        return socket

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        app = web.Application()
        app.router.add_get("/", self.talk)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()


def messages(telemetry: Telemetry) -> list[Any]:
    return [span for span in telemetry.spans if span.kind in (SpanKind.PRODUCER, SpanKind.CONSUMER)]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Otelkit_Envelope": "2;/x"},
        {"Otelkit_Envelope": "yes"},
        {"Otelkit_Envelope": ""},
    ],
)
async def test_a_server_that_does_not_answer_gets_no_envelope(answer: dict[str, str]) -> None:
    """The offer stays an offer: the bytes are the application's, and no message is a hop."""
    stranger = Stranger(**answer)
    with recording() as telemetry:
        async with (
            stranger.serving() as port,
            Asyncio().client(f"ws://127.0.0.1:{port}/") as talk,
        ):
            await talk.send("hello")
            assert await talk.recv() == "hello"

    assert stranger.headers["otelkit-envelope"] == "1"
    assert stranger.received == ["hello"]
    assert messages(telemetry) == []


async def test_nothing_is_offered_unless_it_is_wanted() -> None:
    """Without the setting a handshake has W3C headers only, and an answer to no offer is none."""
    stranger = Stranger(Otelkit_Envelope="1;%2Fx")
    with capture("tested", integrations=["websockets"]) as telemetry:
        async with (
            stranger.serving() as port,
            Asyncio().client(f"ws://127.0.0.1:{port}/") as talk,
        ):
            await talk.send("hello")

    assert "otelkit-envelope" not in stranger.headers
    span_id = telemetry.span(kind=SpanKind.CLIENT).context.span_id
    assert f"{span_id:016x}" == stranger.headers["traceparent"].split("-")[2]
    assert messages(telemetry) == []


async def test_a_server_that_answers_gets_envelopes() -> None:
    """Each message is in one, with the context of its own span, below the route that was told."""
    stranger = Stranger(Otelkit_Envelope="1;%2Frooms%2F%7Broom%7D")
    with recording() as telemetry:
        async with (
            stranger.serving() as port,
            Asyncio().client(f"ws://127.0.0.1:{port}/") as talk,
        ):
            for message in ("text", b"bytes"):
                await talk.send(message)
                assert await talk.recv() == message

    sent = [span for span in messages(telemetry) if span.kind is SpanKind.PRODUCER]
    opened = [unwrap(message) for message in stranger.received]
    assert [payload for payload, _ in opened] == ["text", b"bytes"]
    assert [carrier["traceparent"].split("-")[2] for _, carrier in opened] == [
        f"{span.context.span_id:016x}" for span in sent
    ]
    assert {span.name for span in sent} == {"send /rooms/{room}"}


@kinds
@pytest.mark.parametrize("offer", [None, "2", "yes", "1, 1"])
async def test_a_client_that_does_not_offer_gets_no_envelope(kind: Kind, offer: str | None) -> None:
    """Its messages are the application's, and neither answered nor sent in an envelope."""
    told: list[Any] = []
    headers = {} if offer is None else {"Otelkit-Envelope": offer}
    with recording() as telemetry:
        async with (
            kind.server(told.append) as port,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/", headers=headers) as socket,
        ):
            await socket.send_str("otelkit/1\nbaggage: a=b\n\nhello")
            assert await socket.receive_str() == "otelkit/1\nbaggage: a=b\n\nhello"
            assert "Otelkit-Envelope" not in socket._response.headers

    assert told == ["otelkit/1\nbaggage: a=b\n\nhello"]
    assert messages(telemetry) == []


@kinds
async def test_a_client_that_offers_may_send_without(kind: Kind) -> None:
    """A message that comes as it is goes on as it is, and begins a trace of its own."""
    told: list[Any] = []
    with recording() as telemetry:
        async with (
            kind.server(told.append) as port,
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"http://127.0.0.1:{port}/", headers={"Otelkit-Envelope": "1"}
            ) as socket,
        ):
            await socket.send_str("plain")
            payload, carrier = unwrap(await socket.receive_str())
        await eventually(lambda: bool(telemetry.matching(kind=SpanKind.CONSUMER)))

    handled = telemetry.span(kind=SpanKind.CONSUMER)
    answer = telemetry.span(kind=SpanKind.PRODUCER)
    assert told == ["plain"]
    assert (handled.attributes or {})[names.SPAN_PROPAGATION] == "missing"
    assert payload == "plain"
    assert f"{answer.context.span_id:016x}" == carrier["traceparent"].split("-")[2]
