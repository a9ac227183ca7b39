"""Circuit breakers, real: what they guard is a function of the scenario's."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar

import aiobreaker
import circuitbreaker
import purgatory
import pybreaker
from purgatory.domain.model import OpenedState

Work = Callable[[], Any]
_numbers = count(1)
AT_ONCE = 1e-6
"""Seconds.  A breaker with this recovery time is half-open at its next call."""


class Down(Exception):
    """What the guarded function raises."""


class BreakerHarness(ABC):
    """A breaker of a name of its own that opens at its second failure and recovers after a time."""

    library: ClassVar[str]
    """The integration's name in CATALOGUE."""
    open_error: ClassVar[type[BaseException]]
    """What a refused caller gets."""
    threshold: ClassVar[int] = 2
    kept: ClassVar[bool] = False
    """Whether the library itself keeps every breaker for ever."""

    def __init__(self, recovery: float, name: str = "") -> None:
        self.name = name or f"bank-{next(_numbers)}"
        self.make(recovery)

    @abstractmethod
    def make(self, recovery: float) -> None:
        """Make the breaker."""

    @abstractmethod
    async def call(self, work: Work) -> Any:
        """Call `work` guarded by the breaker, in this task and thread."""

    async def call_elsewhere(self, work: Work) -> Any:
        """The same in a task or thread of its own."""
        return await asyncio.create_task(self.call(work))

    async def fail(self, times: int) -> list[BaseException]:
        """Let the guarded function fail; returns what the callers got."""
        return [await self.failure() for _ in range(times)]

    async def failure(self, error: Exception | None = None) -> BaseException:
        """One call whose function raises `error`; returns what the caller got."""

        def work() -> None:
            raise error or Down

        try:
            await self.call(work)
        except Exception as got:
            return got
        raise AssertionError("the call succeeded")


class _Sync(BreakerHarness):
    async def call(self, work: Work) -> Any:
        return self.guarded(work)

    async def call_elsewhere(self, work: Work) -> Any:
        return await asyncio.to_thread(self.guarded, work)

    @abstractmethod
    def guarded(self, work: Work) -> Any: ...


async def _awaited(work: Work) -> Any:
    await asyncio.sleep(0)
    return work()


class Pybreaker(_Sync):
    library = "pybreaker"
    open_error = pybreaker.CircuitBreakerError

    def make(self, recovery: float) -> None:
        self.breaker = pybreaker.CircuitBreaker(self.threshold, recovery, name=self.name)

    def guarded(self, work: Work) -> Any:
        return self.breaker.call(work)


class PybreakerBlock(Pybreaker):
    def guarded(self, work: Work) -> Any:
        with self.breaker.calling():
            return work()


class Aiobreaker(_Sync):
    library = "aiobreaker"
    open_error = aiobreaker.CircuitBreakerError

    def make(self, recovery: float) -> None:
        duration = timedelta(seconds=recovery)
        self.breaker = aiobreaker.CircuitBreaker(self.threshold, duration, name=self.name)

    def guarded(self, work: Work) -> Any:
        return self.breaker.call(work)


class AiobreakerAsync(Aiobreaker):
    async def call(self, work: Work) -> Any:
        return await self.breaker.call_async(_awaited, work)

    call_elsewhere = BreakerHarness.call_elsewhere


class Circuitbreaker(_Sync):
    library = "circuitbreaker"
    kept = True
    open_error = circuitbreaker.CircuitBreakerError

    def make(self, recovery: float) -> None:
        self.breaker = circuitbreaker.CircuitBreaker(self.threshold, recovery, name=self.name)
        self.guarded = self.breaker(lambda work: work())  # type: ignore[method-assign]

    def guarded(self, work: Work) -> Any: ...


class CircuitbreakerAsync(BreakerHarness):
    library = "circuitbreaker"
    kept = True
    open_error = circuitbreaker.CircuitBreakerError

    def make(self, recovery: float) -> None:
        self.breaker = circuitbreaker.CircuitBreaker(self.threshold, recovery, name=self.name)
        self._guarded = self.breaker(_awaited)

    async def call(self, work: Work) -> Any:
        return await self._guarded(work)


class Purgatory(_Sync):
    library = "purgatory"
    open_error = OpenedState

    def make(self, recovery: float) -> None:
        self.breaker = purgatory.SyncCircuitBreakerFactory(self.threshold, recovery)
        self.breaker.get_breaker(self.name)

    def guarded(self, work: Work) -> Any:
        with self.breaker.get_breaker(self.name):
            return work()


class PurgatoryAsync(BreakerHarness):
    library = "purgatory"
    open_error = OpenedState

    def make(self, recovery: float) -> None:
        self.breaker = purgatory.AsyncCircuitBreakerFactory(self.threshold, recovery)

    async def call(self, work: Work) -> Any:
        async with await self.breaker.get_breaker(self.name):
            return await _awaited(work)
