"""Sagas of the shapes that a page must survive, by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from tests.explorer.building import Made, order


def parallel(saga_id: str) -> Made:
    """Two branches at once, joined by the slower one."""
    made = Made(saga_id)
    root = made.span("join", 0, 100, "orders", "server")
    for number, (name, ends) in enumerate([("slow", 90), ("fast", 50)]):
        call = made.call(10, ends, ("orders", name), (12, ends - 2), root)
        made.step(f"step-{number}", 13, ends - 5, name, under=call)
    return made


def missing_parents(saga_id: str) -> Made:
    """Spans whose parents nobody sent."""
    made = Made(saga_id)
    made.step("reserve", 0, 10, "inventory", parent_id="e" * 16)
    made.step("charge", 20, 30, "billing", parent_id="d" * 16, trace=2)
    return made


def skewed(saga_id: str) -> Made:
    """A service whose clock is 50 ms behind."""
    made = Made(saga_id)
    root = made.span("POST", 0, 30, "web", "server")
    server = made.call(5, 25, ("web", "orders"), (-40, -30), root)
    made.message("q", -35, 12, 20, ("orders", "billing"), server)
    return made


def retried_and_compensated(saga_id: str) -> Made:
    """Charging fails twice; one of two undoings fails too."""
    made = Made(saga_id)
    made.step("reserve", 0, 10, "inventory")
    made.step("pack", 10, 18, "shipping")
    made.step("charge", 20, 30, "billing", error="timeout")
    made.step("charge", 40, 50, "billing", error="business", reason="card <b>declined</b>")
    made.undo("pack", 55, 58, "shipping")
    made.undo("reserve", 60, 65, "inventory", error="unavailable", reason="no answer")
    made.finish(made.span("last", 80, 81), "partially_compensated")
    return made


def three_traces(saga_id: str) -> Made:
    """Nothing but the id joins them."""
    made = Made(saga_id)
    for trace in (1, 2, 3):
        made.step(f"work-{trace}", trace * 10, trace * 10 + 5, f"s{trace}", trace=trace)
    return made


def lost_context(saga_id: str) -> Made:
    """A message whose context was lost, one that nobody took, a call without an answer."""
    made = Made(saga_id)
    root = made.span("work", 0, 9)
    said = {"messaging__destination__name": "q"}
    made.span("send", 3, 4, "orders", "producer", under=root, **said)
    made.span("s", 4, 5, "orders", "producer", under=root, messaging__destination__name="nobody")
    made.call(5, 8, ("orders", "bank"), None, root, "timeout")
    made.span("process", 50, 60, "b", "consumer", trace=2, otel_kit__propagation="missing", **said)
    return made


def circular(saga_id: str) -> Made:
    """Spans that are each other's parents, and one its own."""
    made = Made(saga_id)
    first = made.span("first", 0, 9, parent_id=f"{3:016x}")
    made.span("second", 1, 8, under=first)
    made.span("third", 2, 7, parent_id=f"{2:016x}")
    made.span("self", 3, 4, parent_id=f"{4:016x}")
    return made


def only_begun(saga_id: str) -> Made:
    """A step's start is all that is known."""
    made = Made(saga_id)
    made.started("reserve", 5, "inventory")
    return made


def crowded(saga_id: str) -> Made:
    """Twelve services with names that are markup, and a hundred hops between them."""
    made = Made(saga_id)
    above = made.span("root", 0, 1, "service-00 <i>$x$</i>", "server")
    for hop in range(100):
        ends = (f"service-{hop % 12:02} <i>$x$</i>", f"service-{(hop * 5 + 1) % 12:02} <i>$x$</i>")
        above = made.message(f"queue-{hop}", hop * 10, hop * 10 + 6, hop * 10 + 9, ends, above)
    return made


def unnamed(saga_id: str) -> Made:
    """A saga without a name, whose calls tell no peer."""
    made = Made(saga_id, "")
    made.span("POST", 0, 10, "a", "client")
    made.spans[-1] = replace(made.spans[-1], attributes={"saga.id": saga_id})
    return made


SHAPES: Final[Mapping[str, Callable[[str], Made]]] = {
    "order": order,
    **{
        shape.__name__: shape
        for shape in (
            parallel, missing_parents, skewed, retried_and_compensated, three_traces, lost_context,
            circular, only_begun, crowded, unnamed,
        )
    },
}  # fmt: skip
