"""Retries with exponential back-off and full jitter, by tenacity.

Full jitter (a wait drawn evenly between zero and the growing limit) keeps clients that
failed together from coming back together.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import tenacity

T = TypeVar("T")
Retryable = tuple[type[Exception], ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """How often, and how long to wait in between (seconds)."""

    attempts: int = 5
    base: float = 0.1
    limit: float = 2.0

    @property
    def wait(self) -> tenacity.wait_random_exponential:
        """What draws the wait after an attempt."""
        return tenacity.wait_random_exponential(multiplier=self.base, max=self.limit)


STANDARD = Backoff()


def retry(call: Callable[[], T], *, on: Retryable, name: str, backoff: Backoff = STANDARD) -> T:
    """Call until it succeeds; the last attempt's error, or one not in ``on``, is raised.

    ``name`` says what is retried, in logs and telemetry.
    """
    return tenacity.Retrying(**_policy(on, name, backoff))(call)


async def retry_async(
    call: Callable[[], Awaitable[T]], *, on: Retryable, name: str, backoff: Backoff = STANDARD
) -> T:
    """Do what ``retry`` does, for a function that returns an awaitable."""

    async def attempt() -> T:
        return await call()

    result: T = await tenacity.AsyncRetrying(**_policy(on, name, backoff))(attempt)
    return result


def _policy(on: Retryable, name: str, backoff: Backoff) -> dict[str, Any]:
    return {
        "stop": tenacity.stop_after_attempt(backoff.attempts),
        "wait": backoff.wait,
        "retry": tenacity.retry_if_exception_type(on),
        "before_sleep": tenacity.before_sleep_log(logger, logging.WARNING),
        "reraise": True,
        "name": name,
    }
