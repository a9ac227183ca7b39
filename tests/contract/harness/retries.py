"""Retries, real: what is retried is a function of the scenario's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import stamina
import tenacity
from opentelemetry import trace

AT_ONCE: dict[str, Any] = {"wait_initial": 0, "wait_max": 0, "wait_jitter": 0}


@dataclass(frozen=True)
class RetryHarness:
    """One form of retrying: `call(work, attempts)` calls `work` at most so many times."""

    library: str
    """The integration's name in CATALOGUE."""
    call: "Callable[[Flaky, int], Awaitable[Any]]"

    def __str__(self) -> str:
        return self.call.__name__


class Flaky:
    """Fails a number of times, then returns itself; `errors` are what it raised."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.errors: list[ConnectionError] = []
        self.spans: list[trace.SpanContext] = []

    def __call__(self) -> "Flaky":
        self.spans.append(trace.get_current_span().get_span_context())
        if len(self.errors) < self.failures:
            self.errors.append(ConnectionError(f"failure {len(self.errors) + 1}"))
            raise self.errors[-1]
        return self

    async def later(self) -> "Flaky":
        await asyncio.sleep(0)
        return self()


def policy(attempts: int) -> dict[str, Any]:
    return {"stop": tenacity.stop_after_attempt(attempts), "reraise": True}


async def tenacity_call(work: Flaky, attempts: int) -> Any:
    return tenacity.Retrying(**policy(attempts))(work)


async def tenacity_decorated(work: Flaky, attempts: int) -> Any:
    @tenacity.retry(**policy(attempts))
    def decorated() -> Any:
        return work()

    return decorated()


async def tenacity_decorated_async(work: Flaky, attempts: int) -> Any:
    @tenacity.retry(**policy(attempts))
    async def decorated() -> Any:
        return await work.later()

    return await decorated()


async def tenacity_loop(work: Flaky, attempts: int) -> Any:
    for attempt in tenacity.Retrying(**policy(attempts)):
        with attempt:
            return work()
    return None


async def tenacity_loop_async(work: Flaky, attempts: int) -> Any:
    async for attempt in tenacity.AsyncRetrying(**policy(attempts)):
        with attempt:
            return await work.later()
    return None


async def tenacity_loop_to_its_end(work: Flaky, attempts: int) -> Any:
    for attempt in tenacity.Retrying(**policy(attempts)):
        with attempt:
            result = work()
    return result


async def stamina_decorated(work: Flaky, attempts: int) -> Any:
    @stamina.retry(on=ConnectionError, attempts=attempts, **AT_ONCE)
    def decorated() -> Any:
        return work()

    return decorated()


async def stamina_decorated_async(work: Flaky, attempts: int) -> Any:
    @stamina.retry(on=ConnectionError, attempts=attempts, **AT_ONCE)
    async def decorated() -> Any:
        return await work.later()

    return await decorated()


async def stamina_caller(work: Flaky, attempts: int) -> Any:
    return stamina.RetryingCaller(attempts=attempts, **AT_ONCE)(ConnectionError, work)


async def stamina_loop_async(work: Flaky, attempts: int) -> Any:
    async for attempt in stamina.retry_context(on=ConnectionError, attempts=attempts, **AT_ONCE):
        with attempt:
            return await work.later()
    return None
