"""Retries with exponential back-off and full jitter.

Full jitter (a wait drawn evenly between zero and the growing limit) keeps clients that
failed together from coming back together.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Retryable = tuple[type[Exception], ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """How often, and how long to wait in between (seconds)."""

    attempts: int = 5
    base: float = 0.1
    limit: float = 2.0

    def delays(self) -> Iterator[float]:
        """Yield the wait after each attempt but the last."""
        for attempt in range(self.attempts - 1):
            yield random.uniform(0, min(self.limit, self.base * 2**attempt))


STANDARD = Backoff()


def retry(call: Callable[[], T], *, on: Retryable, backoff: Backoff = STANDARD) -> T:
    """Call until it succeeds; the last attempt's error, or one not in ``on``, is raised."""
    for delay in backoff.delays():
        try:
            return call()
        except on as error:
            logger.warning("%r, trying again in %.2f s", error, delay)
        time.sleep(delay)
    return call()


async def retry_async(
    call: Callable[[], Awaitable[T]], *, on: Retryable, backoff: Backoff = STANDARD
) -> T:
    """Do what ``retry`` does, for a coroutine function."""
    for delay in backoff.delays():
        try:
            return await call()
        except on as error:
            logger.warning("%r, trying again in %.2f s", error, delay)
        await asyncio.sleep(delay)
    return await call()
