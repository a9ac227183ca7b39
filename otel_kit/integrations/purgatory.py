"""
purgatory: the `Context` of a circuit, which its synchronous and asynchronous breakers share.

A circuit that is stored in Redis is another context in every call: its transitions and refused
calls count, while its state and time are known only during a call.
"""

from typing import Any

from purgatory.domain import model

from otel_kit.errors import ErrorClass
from otel_kit.gauges.breakers import name_of, watch, watched
from otel_kit.integrations._shape import Integration

integration = Integration(
    "purgatory",
    supports="purgatory>=3,<4",
    errors={model.OpenedState: ErrorClass.BREAKER_OPEN},
)


def state(context: Any) -> str:
    return str(context.state)


@integration.finds(model.Context)
def found(context: Any) -> None:
    watch(context, name_of(context), state)


@integration.observes("purgatory.domain.model:Context.__init__")
def made(context: Any, _: None) -> None:
    found(context)


@integration.observes("purgatory.domain.model:Context.set_state")
def changed(context: Any, _: None) -> None:
    if (known := watched(context)) is not None:
        known.entered(context.state)


@integration.refusals("purgatory.domain.model:Context.handle_new_request")
def refused(context: Any, error: Exception) -> None:
    if (known := watched(context)) is not None:
        known.rejected()
