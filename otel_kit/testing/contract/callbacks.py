"""Handlers that can be driven from outside, as a loop can: the scenarios hold for both."""

import asyncio
import queue
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from otel_kit.testing.contract.messaging import ConsumerHarness

T = TypeVar("T")
TIMEOUT = 10.0
"""Seconds until a message that does not come is missing."""
_Order = tuple[Callable[[], Any], "Future[Any] | None"]


def _return() -> None:
    raise _Returns


class _Returns(Exception):
    """Leaves the handler, as its end does."""


class _Handled:
    """One message in its handler, which does as it is told until it is told to return."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.returned: Future[None] = Future()

    def follow(self, order: _Order) -> None:
        """Carry out one order; raises what the handler is to raise."""
        function, answer = order
        if answer is None:
            function()
            return
        try:
            answer.set_result(function())
        except BaseException as error:
            answer.set_exception(error)


class _Blocking(_Handled):
    def __init__(self, message: Any) -> None:
        super().__init__(message)
        self.orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()

    def handle(self) -> None:
        try:
            while True:
                self.follow(self.orders.get(timeout=6 * TIMEOUT))
        except _Returns:
            pass
        finally:
            self.returned.set_result(None)

    def tell(self, order: _Order) -> None:
        self.orders.put(order)


class _Awaiting(_Handled):
    def __init__(self, message: Any) -> None:
        super().__init__(message)
        self.orders: asyncio.Queue[_Order] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def handle(self) -> None:
        try:
            while True:
                self.follow(await self.orders.get())
        except _Returns:
            pass
        finally:
            self.returned.set_result(None)

    def tell(self, order: _Order) -> None:
        self._loop.call_soon_threadsafe(self.orders.put_nowait, order)


class CallbackConsumer(ConsumerHarness):
    """A library that calls a handler: `handle`, or `handle_async`, is to be given to it.

    `next` lets the handler of the message before return.
    """

    loop = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arrived: queue.SimpleQueue[_Blocking | _Awaiting] = queue.SimpleQueue()
        self._handled: _Blocking | _Awaiting | None = None

    def handle(self, message: Any) -> None:
        """The handler of a library that blocks."""
        handled = _Blocking(message)
        self._arrived.put(handled)
        handled.handle()

    async def handle_async(self, message: Any) -> None:
        """The handler of an asynchronous library."""
        handled = _Awaiting(message)
        self._arrived.put(handled)
        await handled.handle()

    async def next(self) -> Any:
        await self.finish()
        self._handled = await asyncio.to_thread(self._arrived.get, True, TIMEOUT)
        return self._handled.message

    async def here(self, function: Callable[[], T]) -> T:
        if self._handled is None:
            return function()
        answer: Future[T] = Future()
        self._handled.tell((function, answer))
        return await asyncio.wrap_future(answer)

    async def fail(self, error: Exception) -> None:
        def raises() -> None:
            raise error

        await self._end(raises)

    async def finish(self) -> None:
        """Let the handler return."""
        await self._end(_return)

    async def _end(self, how: Callable[[], None]) -> None:
        handled, self._handled = self._handled, None
        if handled is not None:
            handled.tell((how, None))
            await asyncio.wrap_future(handled.returned)

    async def close(self) -> None:
        await self.finish()
        await self.disconnect()

    @abstractmethod
    async def disconnect(self) -> None:
        """Close the library's client; twice does no harm.  No handler is under way."""

    async def all_at_once(self, count: int, look: Callable[[], T]) -> list[T]:
        handled = [await asyncio.to_thread(self._arrived.get, True, TIMEOUT) for _ in range(count)]
        seen = []
        for each in handled:
            answer: Future[T] = Future()
            each.tell((look, answer))
            seen.append(await asyncio.wrap_future(answer))
        for each in handled:
            each.tell((_return, None))
            await asyncio.wrap_future(each.returned)
        return seen
