"""
stamina: retried functions, callers and loops, sync and async; they are made of tenacity.

Its hooks are left to the application: they tell of attempts that failed, and not of the others.
"""

from typing import Any

from otel_kit import names
from otel_kit.integrations._retry import Retries
from otel_kit.integrations._shape import Integration

integration = Integration("stamina", supports="stamina>=25.1")


def operation(state: Any) -> str | None:
    """The name of the decorated function; a block has none."""
    loop: Any = getattr(state.retry_object.before, "__self__", None)
    if type(loop).__module__ != "stamina._core":
        return None
    name = str(loop._name)
    return names.UNKNOWN if name.startswith("<") else name


retries = Retries(integration, operation, lambda state: True)
