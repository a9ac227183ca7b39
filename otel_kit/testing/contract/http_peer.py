"""An HTTP server and client made of sockets: nothing in them is instrumented."""

import asyncio
from base64 import b64encode
from hashlib import sha1

from otel_kit.testing.contract.base import EVENTS, Behaviour, ClientHarness, Reply, Seen

STATUS = {
    Behaviour.OK: 200,
    Behaviour.STREAMS: 200,
    Behaviour.EVENTS: 200,
    Behaviour.ENDLESS: 200,
    Behaviour.BROKEN: 200,
    Behaviour.SILENT: 200,
    Behaviour.CLIENT_ERROR: 404,
    Behaviour.SERVER_ERROR: 500,
    Behaviour.THROTTLED: 429,
}
"""What a server answers that behaves so, if anybody still listens."""


_STREAMS = (Behaviour.EVENTS, Behaviour.ENDLESS, Behaviour.BROKEN)


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """First line and headers of a message."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return first, {name.strip().lower(): value.strip() for name, value in pairs}


class HttpPeer:
    """A server that behaves as the path of the request says: `/ok`, `/throttled`, `/silent`, …"""

    def __init__(self, client: ClientHarness) -> None:
        self._client = client
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            while not reader.at_eof():
                first, headers = await read_head(reader)
                await reader.readexactly(int(headers.get("content-length", "0")))
                self._client.seen.append(Seen(headers))
                self._client.on_seen()
                behaviour = Behaviour(first.split()[1].strip("/").split("?")[0])
                if behaviour is Behaviour.SILENT:
                    await reader.read()
                    return
                if behaviour in _STREAMS:
                    await self._stream(behaviour, reader, writer)
                    return
                if behaviour is Behaviour.OK and "sec-websocket-key" in headers:
                    await self._upgrade(headers["sec-websocket-key"], reader, writer)
                    return
                writer.write(self._answer(behaviour))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            del self._open[task]
            writer.close()

    async def _stream(
        self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send an event stream, and its end if it has one."""
        writer.write(
            b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        )
        for part in EVENTS:
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        if behaviour is Behaviour.EVENTS:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        if behaviour is Behaviour.ENDLESS:
            await reader.read()

    async def _upgrade(
        self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Accept a WebSocket, and close it when the client does."""
        digest = sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        lines = [
            "HTTP/1.1 101 X",
            "connection: upgrade",
            "upgrade: websocket",
            f"sec-websocket-accept: {b64encode(digest).decode()}",
        ]
        writer.write(("\r\n".join(lines) + f"\r\n{self._timing()}\r\n").encode())
        await reader.read(1)
        writer.write(b"\x88\x02\x03\xe8")

    def _timing(self) -> str:
        timing = self._client.server_timing
        return f"server-timing: {timing}\r\n" if timing else ""

    def _answer(self, behaviour: Behaviour) -> bytes:
        extra = self._timing()
        status = f"HTTP/1.1 {STATUS[behaviour]} X\r\n"
        return f"{status}content-length: 2\r\n{extra}\r\nok".encode()


async def http_hang_up(port: int, path: str) -> None:
    """GET by hand an event stream that does not end; hangs up when its events are there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: tested\r\n\r\n".encode("latin-1"))
    await reader.readuntil(EVENTS[-1].strip())
    writer.transport.abort()


async def http_get(port: int, path: str, headers: dict[str, str]) -> Reply:
    """GET by hand; the whole answer is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"GET {path} HTTP/1.1", "host: tested", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        first, received = await read_head(reader)
        await reader.read()
        return Reply(received, int(first.split()[1]))
    finally:
        writer.close()
