"""A subject's application in a real uvicorn: prints its port, and serves until its input ends.

python -m tests.benchmarks.serve SUBJECT
"""

import asyncio
import sys

import uvicorn

from tests.benchmarks import peers
from tests.benchmarks.listening import loopback


async def main() -> None:
    """Instrumented before the application is made, as everywhere."""
    peer = peers.load(sys.argv[1])
    peer.start("asgi")
    from tests.benchmarks.work.asgi import application

    app = application()
    peer.instrument_app("asgi", app)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    with loopback() as listening:
        print(listening.getsockname()[1], flush=True)
        serving = asyncio.create_task(server.serve([listening]))
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(main())
