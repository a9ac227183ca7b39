"""The saga that a context belongs to, as it stands in the baggage and on every span."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from opentelemetry.context import Context

from otel_kit.hops.keys import BAGGAGE
from otel_kit.names import SAGA_ID, SAGA_NAME

ID_LENGTH: Final = 256
NO_NAME: Final = "saga"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def saga_attributes(context: Context) -> Mapping[str, str]:
    """`saga.id` and `saga.name` of a context, empty outside a saga."""
    baggage = context.get(BAGGAGE)
    found = baggage.get(SAGA_ID) if isinstance(baggage, Mapping) else None
    if not isinstance(baggage, Mapping) or not isinstance(found, str):
        return _NONE
    name = baggage.get(SAGA_NAME)
    name = name[:ID_LENGTH] if isinstance(name, str) else NO_NAME
    return {SAGA_ID: found[:ID_LENGTH], SAGA_NAME: name}
