"""What WSGI frameworks share: werkzeug's server with a thread for each request."""

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from otel_kit.testing.contract.base import EVENTS, Behaviour, HandlerError, Seen
from otel_kit.testing.contract.http_server import HttpServer


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None: ...  # noqa: A002 - werkzeug's


class WsgiHarness(HttpServer):
    server: BaseWSGIServer

    @abstractmethod
    def application(self) -> Any:
        """A new application that answers `GET /do/{behaviour}`, by `asked` and `parts`."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        app = self.application()
        self.server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        self.server.daemon_threads = False  # type: ignore[attr-defined] # closing waits for them
        self.port = self.server.port
        self._serving = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._serving.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.settled()

    async def settled(self) -> None:
        """A server that is closed has waited for its threads."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self.server.shutdown()
        self._serving.join()
        self.server.server_close()

    def asked(self, behaviour: str, headers: Mapping[str, str], environ: dict[str, Any]) -> None:
        """What a handler does before it answers."""
        self.seen.append(Seen({name.lower(): value for name, value in headers.items()}))
        asyncio.run_coroutine_threadsafe(self._requested(), self._loop).result()
        if behaviour == Behaviour.RAISES:
            raise HandlerError("on purpose")
        if behaviour == Behaviour.SILENT:
            environ["werkzeug.socket"].recv(1)  # the caller hangs up

    async def _requested(self) -> None:
        """`on_request` belongs to the event loop: the handler waits for it there."""
        self.on_request()

    def parts(self) -> Iterator[bytes]:
        """An answer that streams."""
        for part in (b"one", b"two", b"three"):
            self.seen.append(Seen())
            yield part

    def events(self, behaviour: str) -> Iterator[bytes]:
        """An event stream, which may not end: a server without eyes learns it by writing."""
        yield from EVENTS
        while behaviour == Behaviour.ENDLESS:
            yield b": still here\n\n"
