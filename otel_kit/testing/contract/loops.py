"""How the body of a loop that takes messages is driven: in a thread of its own, or in the test's.

The body is the handler: a scenario does in it what it likes by `here`, and leaves it by `fail`.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from otel_kit.testing.contract.messaging import ConsumerHarness

T = TypeVar("T")


class ThreadLoop(ConsumerHarness):
    """Of a library that blocks: a thread, whose context stays from call to call, has the client."""

    @abstractmethod
    def connect(self) -> None:
        """Make the library's client."""

    @abstractmethod
    def leave(self) -> None:
        """Leave the loop and close the client; twice does no harm."""

    async def open(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        await self.here(self.connect)

    async def close(self) -> None:
        await self.here(self.leave)

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self._thread.shutdown()

    async def here(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def fail(self, error: Exception) -> None:
        def handle() -> None:
            with suppress(type(error)):
                try:
                    raise error
                finally:
                    self.leave()

        await self.here(handle)


class TaskLoop(ConsumerHarness):
    """Of a library for asyncio: the scenario's own task takes the messages."""

    async def here(self, function: Callable[[], T]) -> T:
        return function()

    async def fail(self, error: Exception) -> None:
        with suppress(type(error)):
            try:
                raise error
            finally:
                await self.close()
