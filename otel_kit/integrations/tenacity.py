"""
tenacity: every form of retrying, decorators, calls and loops of `with` blocks, sync and async.

An attempt is a span within the span of the retried call.  Waiting between attempts, the predicates
and the callbacks run outside both.
"""

from functools import partial
from typing import Any

import tenacity

from otel_kit import names
from otel_kit.integrations._retry import Retries
from otel_kit.integrations._shape import Integration

integration = Integration("tenacity", supports="tenacity>=9,<10")


def operation(state: tenacity.RetryCallState) -> str | None:
    """The name that was given to tenacity, else the function's."""
    if type(getattr(state.retry_object.before, "__self__", None)).__module__ == "stamina._core":
        return None  # the integration of stamina knows its name
    if given := getattr(state.retry_object, "_name", None):
        return str(given)
    function: Any = state.fn
    while isinstance(function, partial):
        function = function.func
    if function is None:
        return names.UNKNOWN
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def ends_by_return(state: tenacity.RetryCallState) -> bool:
    """Whether the predicate looks at exceptions alone."""
    return type(state.retry_object.retry).__call__ is tenacity.retry_if_exception.__call__


retries = Retries(integration, operation, ends_by_return)
