"""
aiobreaker: where a `CircuitBreaker` makes the object of its new state, and where it refuses a call.

Not by listeners: those would show up in the breaker's own list.  The state is the one this process
has seen; a storage shared with others, such as Redis, is not asked.
"""

from typing import Any

import aiobreaker

from otel_kit.errors import ErrorClass
from otel_kit.gauges.breakers import name_of, watch, watched
from otel_kit.integrations._shape import Integration

integration = Integration(
    "aiobreaker",
    supports="aiobreaker>=1.2,<2",
    errors={aiobreaker.CircuitBreakerError: ErrorClass.BREAKER_OPEN},
)


def state(breaker: Any) -> str:
    return str(breaker._state.state.name)


@integration.finds(aiobreaker.CircuitBreaker)
def found(breaker: Any) -> None:
    watch(breaker, name_of(breaker), state)


@integration.observes("aiobreaker:CircuitBreaker.__init__")
def made(breaker: Any, _: None) -> None:
    found(breaker)


@integration.observes("aiobreaker:CircuitBreaker._create_new_state")
def changed(breaker: Any, new: Any) -> None:
    if (known := watched(breaker)) is not None:  # else it is being made
        known.entered(new.state)


@integration.refusals("aiobreaker.state:CircuitOpenState.before_call")
def refused(before: Any, error: Exception) -> None:
    if (known := watched(before._breaker)) is not None:
        known.rejected()
