"""
circuitbreaker: where a `CircuitBreaker` counts a failure, is reset, or is asked if it is open.

The decorator asks that before each call: so a call is known to be refused also where a fallback
takes its place.  Half-open is no event there but what `state` says once the recovery time is over.
"""

import sys
import time
from typing import Any

import circuitbreaker

from otel_kit.errors import ErrorClass
from otel_kit.gauges.breakers import Breaker, Reading, name_of, watch
from otel_kit.integrations._shape import Integration

integration = Integration(
    "circuitbreaker",
    supports="circuitbreaker>=2.1,<3",
    errors={circuitbreaker.CircuitBreakerError: ErrorClass.BREAKER_OPEN},
)
_GUARDS = ("wrapper", "gen_wrapper", "awrapper", "gen_awrapper")


def state(breaker: Any) -> Reading:
    said = breaker.state
    since = 0.0
    if said == circuitbreaker.STATE_HALF_OPEN:
        since = time.monotonic() - breaker._opened - breaker._recovery_timeout
    return Reading(said, max(0.0, since))


@integration.finds(circuitbreaker.CircuitBreaker)
def found(breaker: Any) -> Breaker | None:
    """A breaker has a name once it guards a function, or was given one."""
    return watch(breaker, name_of(breaker), state) if breaker.name else None


@integration.observes(
    "circuitbreaker:CircuitBreaker.__init__",
    "circuitbreaker:CircuitBreaker.decorate",
    "circuitbreaker:CircuitBreaker.reset",
    "circuitbreaker:CircuitBreaker._CircuitBreaker__call_failed",
)
def changed(breaker: Any, _: Any) -> None:
    if (known := found(breaker)) is not None:
        opened = breaker._state == circuitbreaker.STATE_OPEN
        known.entered(breaker._state, time.monotonic() - breaker._opened if opened else 0.0)


@integration.observes("circuitbreaker:CircuitBreaker.opened")
def asked(breaker: Any, opened: bool) -> None:
    if (known := found(breaker)) is not None and _by_guard():
        known.refresh()
        if opened:
            known.rejected()


def _by_guard() -> bool:
    """Whether the library itself asks, before a call, and not the application."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("otel_kit."):
        frame = frame.f_back
    return frame.f_globals is vars(circuitbreaker) and frame.f_code.co_name in _GUARDS
