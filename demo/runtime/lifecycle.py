"""From start to SIGTERM."""

import asyncio
import logging
import signal
import threading
from collections.abc import Coroutine
from typing import Any

READY = "ready"
"""The line a service prints once it can be used; the launcher waits for it."""


def ready(detail: str = "") -> None:
    print(f"{READY} {detail}".rstrip(), flush=True)


def log_to_stdout() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # One line per request and per heartbeat tells nothing that a span does not.
    for chatty in ("httpx", "aiokafka", "kafka", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


async def until_stopped(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until SIGTERM or SIGINT, or until one of them fails."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        await stop.wait()
        for task in tasks:
            task.cancel()


def stop_requested() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set, for a service without an event loop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
