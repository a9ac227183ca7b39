"""The circuit breaker."""

import pytest

from demo.resilience.breaker import BreakerOpen, CircuitBreaker, State


class Down(Exception):
    """The callee failed."""


class Declined(Exception):
    """The callee said no: it works."""


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("bank", counts=(Down,), clock=clock)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Down), breaker:
            raise Down


def succeed(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        with breaker:
            pass


def test_opens_at_the_fifth_failure(breaker: CircuitBreaker) -> None:
    """Four failures leave it closed, the fifth opens it, and the next call is not made."""
    fail(breaker, 4)
    assert breaker.state is State.CLOSED
    fail(breaker, 1)
    with pytest.raises(BreakerOpen), breaker:
        pytest.fail("the call was made")


def test_counts_failures_between_successes(breaker: CircuitBreaker) -> None:
    """Successes in between do not hide five failures within the window."""
    for _ in range(5):
        fail(breaker, 1)
        if breaker.state is State.CLOSED:
            succeed(breaker, 3)
    assert breaker.state is State.OPEN


def test_forgets_failures_older_than_the_window(breaker: CircuitBreaker, clock: Clock) -> None:
    """Four failures, a minute's pause and four more leave it closed."""
    fail(breaker, 4)
    clock.now += 60.1
    fail(breaker, 4)
    assert breaker.state is State.CLOSED


def test_other_exceptions_are_answers(breaker: CircuitBreaker) -> None:
    """An exception that is not counted passes through and opens nothing."""
    for _ in range(20):
        with pytest.raises(Declined), breaker:
            raise Declined
    assert breaker.state is State.CLOSED


def test_is_half_open_after_the_recovery_time(breaker: CircuitBreaker, clock: Clock) -> None:
    """It stays open for 30 s and then lets three calls pass, whose success closes it."""
    fail(breaker, 5)
    clock.now += 29.9
    assert breaker.state is State.OPEN
    clock.now += 0.1
    assert breaker.state is State.HALF_OPEN
    succeed(breaker, 2)
    assert breaker.state is State.HALF_OPEN
    succeed(breaker, 1)
    assert breaker.state is State.CLOSED


def test_admits_three_trials_at_a_time(breaker: CircuitBreaker, clock: Clock) -> None:
    """While three trial calls are under way a fourth is rejected."""
    fail(breaker, 5)
    clock.now += 30
    with breaker, breaker, breaker, pytest.raises(BreakerOpen), breaker:
        pytest.fail("the call was made")


def test_a_failed_trial_opens_it_again(breaker: CircuitBreaker, clock: Clock) -> None:
    """One failure when half-open starts the recovery time anew."""
    fail(breaker, 5)
    clock.now += 30
    fail(breaker, 1)
    assert breaker.state is State.OPEN
    clock.now += 30
    assert breaker.state is State.HALF_OPEN


def test_tells_its_listeners(breaker: CircuitBreaker, clock: Clock) -> None:
    """Each change of state is told with the state before and after."""
    heard: list[tuple[str, State, State]] = []
    breaker.listeners.append(lambda b, before, after: heard.append((b.name, before, after)))
    fail(breaker, 5)
    clock.now += 30
    succeed(breaker, 3)
    assert heard == [
        ("bank", State.CLOSED, State.OPEN),
        ("bank", State.OPEN, State.HALF_OPEN),
        ("bank", State.HALF_OPEN, State.CLOSED),
    ]
