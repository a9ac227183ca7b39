"""What ASGI frameworks share: uvicorn."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import uvicorn

from otel_kit.testing.contract.base import EVENTS, Behaviour, HandlerError, Seen
from otel_kit.testing.contract.http_server import HttpServer


class AsgiHarness(HttpServer):
    def __init__(self) -> None:
        super().__init__()
        self._left = asyncio.Event()

    @abstractmethod
    def application(self) -> Any:
        """A new application that answers `GET /do/{behaviour}`, by `asked` and `parts`."""

    async def __aenter__(self) -> Self:
        self._app = self.application()
        config = uvicorn.Config(
            self._serve, port=0, log_config=None, lifespan="off", interface="asgi3"
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.wait([self._serving], timeout=0.01)
            if self._serving.done():
                await self._serving
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._serving

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        scope["tested.receive"] = receive
        try:
            await self._app(scope, receive, send)
        finally:
            self._left.set()

    async def settled(self) -> None:
        """The application has returned."""
        await self._left.wait()

    async def asked(self, behaviour: str, headers: Mapping[str, str], scope: Any) -> None:
        """What a handler does before it answers."""
        self.seen.append(Seen(dict(headers)))
        self.on_request()
        if behaviour == Behaviour.RAISES:
            raise HandlerError("on purpose")
        if behaviour == Behaviour.SILENT:  # the caller hangs up
            while (await scope["tested.receive"]())["type"] != "http.disconnect":
                pass

    async def parts(self) -> AsyncIterator[bytes]:
        """An answer that streams."""
        for part in (b"one", b"two", b"three"):
            self.seen.append(Seen())
            yield part

    async def events(self, behaviour: str) -> AsyncIterator[bytes]:
        """An event stream, which may not end."""
        for part in EVENTS:
            yield part
        if behaviour == Behaviour.ENDLESS:
            await asyncio.Event().wait()
