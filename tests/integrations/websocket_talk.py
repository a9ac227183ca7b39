"""Servers and clients of websockets, with asyncio and with threads, behind one way to use them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import websockets.asyncio.client
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.server


class Talk(Protocol):
    """A client's connection."""

    async def send(self, message: Any, **options: Any) -> None: ...
    async def recv(self, **options: Any) -> Any: ...
    async def recv_streaming(self) -> list[Any]: ...


class AsyncTalk:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def send(self, message: Any, **options: Any) -> None:
        await self.connection.send(message, **options)

    async def recv(self, **options: Any) -> Any:
        return await self.connection.recv(**options)

    async def recv_streaming(self) -> list[Any]:
        return [part async for part in self.connection.recv_streaming()]


class ThreadTalk:
    """In this very thread: the server has one of its own."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def send(self, message: Any, **options: Any) -> None:
        self.connection.send(message, **options)

    async def recv(self, **options: Any) -> Any:
        return self.connection.recv(**options)

    async def recv_streaming(self) -> list[Any]:
        return list(self.connection.recv_streaming())


Told = Callable[[Any], None]


class Asyncio:
    """`told(message)` is called in the handler, which then answers with the same."""

    @asynccontextmanager
    async def server(self, told: Told = lambda _: None, **options: Any) -> AsyncIterator[int]:
        async def handler(connection: Any, **_: Any) -> None:
            async for message in connection:
                told(message)
                await connection.send(message)

        serve = options.pop("serve", websockets.asyncio.server.serve)
        async with serve(
            *options.pop("routes", ()), options.pop("handler", handler), "127.0.0.1", 0, **options
        ) as server:
            yield server.sockets[0].getsockname()[1]

    @asynccontextmanager
    async def client(self, url: str, **options: Any) -> AsyncIterator[Talk]:
        async with websockets.asyncio.client.connect(url, **options) as connection:
            yield AsyncTalk(connection)


class Threads:
    """The same with threads; the client blocks this one, so that the two cannot mix."""

    @asynccontextmanager
    async def server(self, told: Told = lambda _: None, **options: Any) -> AsyncIterator[int]:
        def handler(connection: Any) -> None:
            for message in connection:
                told(message)
                connection.send(message)

        server = websockets.sync.server.serve(handler, "127.0.0.1", 0, **options)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            await asyncio.to_thread(server.shutdown)
            await asyncio.to_thread(serving.join)

    @asynccontextmanager
    async def client(self, url: str, **options: Any) -> AsyncIterator[Talk]:
        connecting = partial(websockets.sync.client.connect, url, **options)
        with await asyncio.to_thread(connecting) as connection:
            yield ThreadTalk(connection)


KINDS = [Asyncio(), Threads()]


async def eventually(settled: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait for what another thread or task is about to do."""
    async with asyncio.timeout(10):
        while not settled():
            await asyncio.sleep(0.001)
