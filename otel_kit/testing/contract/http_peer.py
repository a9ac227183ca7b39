"""An HTTP server and client made of sockets: nothing in them is instrumented."""

import asyncio

from otel_kit.testing.contract.base import Behaviour, ClientHarness, Reply, Seen

STATUS = {
    Behaviour.OK: 200,
    Behaviour.STREAMS: 200,
    Behaviour.SILENT: 200,
    Behaviour.CLIENT_ERROR: 404,
    Behaviour.SERVER_ERROR: 500,
    Behaviour.THROTTLED: 429,
}
"""What a server answers that behaves so, if anybody still listens."""


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
                writer.write(self._answer(behaviour))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            del self._open[task]
            writer.close()

    def _answer(self, behaviour: Behaviour) -> bytes:
        timing = self._client.server_timing
        extra = f"server-timing: {timing}\r\n" if timing else ""
        status = f"HTTP/1.1 {STATUS[behaviour]} X\r\n"
        return f"{status}content-length: 2\r\n{extra}\r\nok".encode()


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
