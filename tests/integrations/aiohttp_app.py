"""An aiohttp application on a free port of loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


@asynccontextmanager
async def serving(app: web.Application, **options: Any) -> AsyncIterator[int]:
    """Serve the application, as long as the block runs, on the port that it gives."""
    async with served(web.AppRunner(app, access_log=None, **options)) as port:
        yield port


@asynccontextmanager
async def served(runner: web.BaseRunner) -> AsyncIterator[int]:
    """The same for a runner of the test's own."""
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
