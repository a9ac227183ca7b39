"""How context travels: what OTEL_PROPAGATORS names, and what the application had set globally."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_kit.hops.propagation import W3C, Propagator

if TYPE_CHECKING:
    from opentelemetry.propagators.textmap import TextMapPropagator

    from otel_kit.settings import Settings


def propagator(settings: Settings, before: TextMapPropagator) -> Propagator:
    """The kit's propagator, in place of `before`, the global one.

    What the application has put there goes on, beside what the settings name; ``none`` means none.
    """
    named = settings.propagators
    others: dict[type, TextMapPropagator] = {}
    for each in (*_named(named), *(_parts(before) if named else ())):
        others.setdefault(type(each), each)
    return Propagator(settings.service_name, list(others.values()), [n for n in named if n in W3C])


def _named(names: Iterable[str]) -> list[TextMapPropagator]:
    """Those besides W3C's, which are the core's own."""
    others = [name for name in names if name not in W3C]
    found = entry_points(group="opentelemetry_propagator") if others else ()
    return [entry.load()() for entry in found if entry.name in others]


def _parts(propagator: Any) -> Iterator[TextMapPropagator]:
    """What is not W3C's, whose place the core takes."""
    if type(propagator) is CompositePropagator:
        for part in propagator._propagators:
            yield from _parts(part)
    elif type(propagator) not in (TraceContextTextMapPropagator, W3CBaggagePropagator, Propagator):
        yield propagator
