"""A circuit breaker that counts failures in a time window and tries again with a few calls.

Of the maintained libraries (pybreaker, purgatory, circuitbreaker) none has both the window
and the number of trial calls, so the demo has its own.
"""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from threading import RLock
from types import TracebackType
from typing import Self

Listener = Callable[["CircuitBreaker", "State", "State"], None]
"""Called with the breaker, the state it leaves and the state it enters."""


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerOpen(Exception):
    """The call was not made, because recent ones failed."""


class CircuitBreaker:
    """``with breaker:`` around each call, also around an ``await``.

    Args:
        name: whose calls are guarded, for messages and telemetry.
        counts: the exceptions that are failures of the callee; all others are successes.
        failures: so many within ``window`` seconds open the breaker.
        recovery: seconds from opening to half-open.
        trials: so many calls may pass when half-open; all must succeed to close it again.
    """

    def __init__(
        self,
        name: str,
        *,
        counts: tuple[type[BaseException], ...],
        failures: int = 5,
        window: float = 60.0,
        recovery: float = 30.0,
        trials: int = 3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.listeners: list[Listener] = []
        self._counts = counts
        self._allowed_failures, self._window = failures, window
        self._recovery, self._trials = recovery, trials
        self._clock = clock
        self._state = State.CLOSED
        self._entered_at = clock()
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._admitted = self._succeeded = 0
        self._lock = RLock()  # who watches it reads the state in a thread of its own

    @property
    def state(self) -> State:
        """The state now; an open breaker whose recovery time is over is half-open."""
        with self._lock:
            if self._state is State.OPEN and self._clock() - self._entered_at >= self._recovery:
                self._enter(State.HALF_OPEN)
            return self._state

    def __enter__(self) -> Self:
        with self._lock:
            state = self.state
            if state is State.OPEN or (state is State.HALF_OPEN and self._admitted >= self._trials):
                raise BreakerOpen(f"{self.name} failed recently: not called")
            if state is State.HALF_OPEN:
                self._admitted += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            if kind is not None and issubclass(kind, self._counts):
                self._record_failure()
            elif self._state is State.HALF_OPEN:
                self._record_trial_success()

    def _record_trial_success(self) -> None:
        self._succeeded += 1
        if self._succeeded >= self._trials:
            self._enter(State.CLOSED)

    def _record_failure(self) -> None:
        now = self._clock()
        self._failed_at.append(now)
        full = len(self._failed_at) == self._failed_at.maxlen
        too_many = full and now - self._failed_at[0] <= self._window
        if self._state is State.HALF_OPEN or (self._state is State.CLOSED and too_many):
            self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        before, self._state = self._state, state
        self._entered_at = self._clock()
        self._failed_at.clear()
        self._admitted = self._succeeded = 0
        for listener in self.listeners:
            listener(self, before, state)
