"""websockets: the handshakes of its clients and servers, with asyncio and with threads."""

import asyncio
import select
import threading
from base64 import b64encode
from typing import Any, ClassVar, Self

import websockets.asyncio.client
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.server
from websockets.exceptions import InvalidStatus

from otel_kit.testing.contract.base import Behaviour, HandlerError, Reply, Seen
from otel_kit.testing.contract.http_client import HttpClient, ThreadedHttpClient
from otel_kit.testing.contract.http_peer import STATUS, read_head
from otel_kit.testing.contract.http_server import HttpServer
from otel_kit.testing.contract.measures import Handshake

HTTP = Handshake("http")


def _reply(response: Any) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.raw_items()}
    return Reply(headers, response.status_code)


class WebsocketsAsync(HttpClient):
    library = "websockets"
    transport = HTTP
    timeout_error = TimeoutError
    connection_error = ConnectionRefusedError

    async def _get(self, url: str, headers: Any, timeout: float) -> Reply:
        url = url.replace("http:", "ws:")
        try:
            async with websockets.asyncio.client.connect(
                url, additional_headers=headers, open_timeout=timeout
            ) as connection:
                return _reply(connection.response)
        except InvalidStatus as refused:
            return _reply(refused.response)


class WebsocketsThread(ThreadedHttpClient):
    library = "websockets"
    transport = HTTP
    timeout_error = TimeoutError
    connection_error = ConnectionRefusedError

    def _got(self, url: str, headers: Any, timeout: float) -> Reply:
        url = url.replace("http:", "ws:")
        try:
            with websockets.sync.client.connect(
                url, additional_headers=headers, open_timeout=timeout
            ) as connection:
                return _reply(connection.response)
        except InvalidStatus as refused:
            return _reply(refused.response)


class _Server(HttpServer):
    """`process_request` answers; who is let in is sent a message in three parts."""

    transport = HTTP
    library = "websockets"
    operation = "GET"
    ok_status: ClassVar[object] = 101
    event_streams = False

    async def request(
        self, behaviour: Behaviour, *, headers: dict[str, str] | None = None, path: str = ""
    ) -> Reply:
        """As a client that hangs up when it has the answer, and all of a stream."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [
            f"GET /do/{behaviour}{path} HTTP/1.1",
            "host: tested",
            "connection: upgrade",
            "upgrade: websocket",
            "sec-websocket-version: 13",
            f"sec-websocket-key: {b64encode(bytes(16)).decode()}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            first, received = await read_head(reader)
            if behaviour is Behaviour.STREAMS:
                await reader.readuntil(b"three")
            return Reply(received, int(first.split()[1]))
        finally:
            writer.transport.abort()

    def asked(self, connection: Any, request: Any) -> Any:
        behaviour = request.path.removeprefix("/do/")
        if behaviour not in STATUS and behaviour != Behaviour.RAISES:
            return connection.respond(404, "")
        self.seen.append(Seen({name.lower(): text for name, text in request.headers.raw_items()}))
        if behaviour == Behaviour.RAISES:
            raise HandlerError("on purpose")
        status = STATUS[behaviour]
        return None if status == 200 else connection.respond(status, "")

    def parts(self) -> Any:
        for part in ("one", "two", "three"):
            self.seen.append(Seen())
            yield part


class WebsocketsAsyncServer(_Server):
    async def __aenter__(self) -> Self:
        self._left = asyncio.Event()
        self._server = await websockets.asyncio.server.serve(
            self.handle, "127.0.0.1", 0, process_request=self.answer
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def settled(self) -> None:
        await self.__aexit__()

    async def answer(self, connection: Any, request: Any) -> Any:
        response = self.asked(connection, request)
        self.on_request()
        if request.path.endswith(Behaviour.SILENT):
            await connection.wait_closed()
        return response

    async def handle(self, connection: Any) -> None:
        if connection.request.path.endswith(Behaviour.STREAMS):
            await connection.send(self.parts())


class WebsocketsThreadServer(_Server):
    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._threads: list[threading.Thread] = []
        self._server = websockets.sync.server.serve(
            self.handle, "127.0.0.1", 0, process_request=self.answer
        )
        self.port = self._server.socket.getsockname()[1]
        self._serving = threading.Thread(target=self._server.serve_forever)
        self._serving.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.settled()

    async def settled(self) -> None:
        await asyncio.to_thread(self._server.shutdown)
        for thread in (self._serving, *self._threads):  # the library's own waits for none before 17
            await asyncio.to_thread(thread.join)

    def answer(self, connection: Any, request: Any) -> Any:
        self._threads.append(threading.current_thread())
        response = self.asked(connection, request)
        asyncio.run_coroutine_threadsafe(self._requested(), self._loop).result()
        if request.path.endswith(Behaviour.SILENT):
            self._until_hung_up(connection)
        return response

    def _until_hung_up(self, connection: Any) -> None:
        if connection.protocol_mutex.locked():  # before 17: by this very thread
            poll = select.poll()
            poll.register(connection.socket, select.POLLRDHUP)
            poll.poll()
        else:
            connection.recv_events_thread.join()

    async def _requested(self) -> None:
        """`on_request` belongs to the event loop: the handler waits for it there."""
        self.on_request()

    def handle(self, connection: Any) -> None:
        if connection.request.path.endswith(Behaviour.STREAMS):
            connection.send(self.parts())
