"""Retries."""

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from demo.resilience.retry import Backoff, retry, retry_async

AT_ONCE = Backoff(base=0.0)


class Flaky:
    """Fails a number of times, then succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError(f"attempt {self.calls}")
        return "done"

    async def later(self) -> str:
        return self()


@given(st.integers(1, 12), st.floats(0.0, 10.0), st.floats(0.0, 60.0))
def test_delays_grow_to_a_limit_with_full_jitter(attempts: int, base: float, limit: float) -> None:
    """Every delay lies between zero and the doubled base, never above the limit."""
    wait = Backoff(attempts, base, limit).wait
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    for attempt in range(attempts):
        assert 0 <= wait(state) <= min(limit, base * 2**attempt)
        state.prepare_for_next_attempt()


def test_succeeds_at_the_fifth_attempt() -> None:
    """Four failures are survived."""
    flaky = Flaky(4)
    assert retry(flaky, on=(ConnectionError,), name="test", backoff=AT_ONCE) == "done"
    assert flaky.calls == 5


async def test_raises_the_last_error() -> None:
    """After five attempts the caller gets the error of the last one."""
    flaky = Flaky(9)
    with pytest.raises(ConnectionError, match="attempt 5"):
        await retry_async(flaky.later, on=(ConnectionError,), name="test", backoff=AT_ONCE)
    assert flaky.calls == 5


async def test_other_errors_are_not_tried_again() -> None:
    """An error that is not listed is raised at once."""
    flaky = Flaky(1)
    with pytest.raises(ConnectionError):
        await retry_async(flaky.later, on=(TimeoutError,), name="test", backoff=AT_ONCE)
    assert flaky.calls == 1
