"""A thread that looks at one thing again and again, so that nobody else waits for the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,  # the key every OpenTelemetry exporter sets
    attach,
    set_value,
)


class Sampler:
    """Calls `sample` at once and then every few seconds, on a daemon thread of its own.

    `sample` may block for as long as it likes: it costs its own next samples and nothing else.  It
    must not raise.  What it calls makes no hops: watching is not part of what is watched.  `ended`
    is called by the thread when it looks no more: what it has opened, it closes.
    """

    def __init__(
        self, sample: Callable[[], None], name: str, ended: Callable[[], None] = lambda: None
    ) -> None:
        self._sample = sample
        self._ended = ended
        self._name = name
        self._thread: Thread | None = None
        self._stopped = Event()

    def start(self, interval: float) -> None:
        """Begin to look every `interval` seconds, or go on; after a fork, in the child too."""
        if self._thread is not None and self._thread.is_alive() and not self._stopped.is_set():
            return
        self._stopped = Event()
        arguments = (self._stopped, interval)
        self._thread = Thread(target=self._run, args=arguments, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more.  Does not wait for a sample that is under way."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether it was told to."""
        return self._stopped.is_set()

    def _run(self, stopped: Event, interval: float) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while not stopped.is_set():
            self._sample()
            stopped.wait(interval)
        self._ended()


def on_loop(
    loop: asyncio.AbstractEventLoop, function: Callable[[], Awaitable[Any]], patience: float
) -> Any:
    """The result of a coroutine function, run on `loop`, which another thread runs.

    Raises what it raises, TimeoutError after `patience` seconds, and RuntimeError if the loop ends.
    """
    answer: Future[Any] = Future()
    tasks = []

    async def run() -> None:
        try:
            async with asyncio.timeout(patience):
                answer.set_result(await function())
        except Exception as error:
            answer.set_exception(error)
        except BaseException:
            answer.set_exception(RuntimeError("cancelled"))
            raise

    def begin() -> None:
        if answer.set_running_or_notify_cancel():  # a loop that was blocked has not to catch up
            tasks.append(loop.create_task(run()))

    # The coroutine is made by the loop itself: one that has ended leaves none behind.
    loop.call_soon_threadsafe(begin)
    try:
        return answer.result(patience + 1)
    finally:
        answer.cancel()
