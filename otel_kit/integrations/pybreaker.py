"""
pybreaker: where a `CircuitBreaker` makes the object of its new state, and where it refuses a call.

Not by listeners: those would show up in the breaker's own list.  The state is the one this process
has seen; a storage shared with others, such as Redis, is not asked.
"""

from typing import Any

import pybreaker

from otel_kit.errors import ErrorClass
from otel_kit.gauges.breakers import name_of, watch, watched
from otel_kit.integrations._shape import Integration

integration = Integration(
    "pybreaker",
    supports="pybreaker>=1.2,<2",
    errors={pybreaker.CircuitBreakerError: ErrorClass.BREAKER_OPEN},
)


def state(breaker: Any) -> str:
    return str(breaker._state.name)


@integration.finds(pybreaker.CircuitBreaker)
def found(breaker: Any) -> None:
    watch(breaker, name_of(breaker), state)


@integration.observes("pybreaker:CircuitBreaker.__init__")
def made(breaker: Any, _: None) -> None:
    found(breaker)


@integration.observes("pybreaker:CircuitBreaker._create_new_state")
def changed(breaker: Any, new: Any) -> None:
    if (known := watched(breaker)) is not None:  # else it is being made
        known.entered(new.name)


@integration.refusals("pybreaker:CircuitOpenState.before_call")
def refused(before: Any, error: Exception) -> None:
    breaker = before._breaker
    if breaker._state is before and (known := watched(breaker)) is not None:  # else a trial failed
        known.rejected()
