"""An HTTP server that says when it is ready and leaves signals to the service."""

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext

import uvicorn

from demo import config
from demo.runtime.lifecycle import ready


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        ready()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


async def serve(app: object, name: str) -> None:
    """Serve an ASGI application at the address of the service until cancelled."""
    host, port = config.host_and_port(name)
    server = _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            host=host,
            port=port,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
