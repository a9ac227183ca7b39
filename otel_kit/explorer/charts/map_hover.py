"""What the service map says about an edge or a node, in short and when one points at it."""

from collections.abc import Iterator
from typing import Final

from otel_kit.explorer.charts.figure import plain
from otel_kit.explorer.model import words
from otel_kit.explorer.model.map_path import Leg
from otel_kit.explorer.model.service_map import Edge, Mark, Node, NodeKind, ServiceMap
from otel_kit.records import Quantiles

KINDS: Final[dict[NodeKind, str]] = {
    "service": "a service",
    "broker": "a broker: services send to it, it measures nothing itself",
    "outside": "outside: it does not report",
}


def rate(per_second: float) -> str:
    """``1 200/s``, ``2.1/s``, ``0.04/s``."""
    digits = 0 if per_second >= 100 else 1 if per_second >= 1 else 2
    return f"{per_second:,.{digits}f}/s".replace(",", " ")


def quantiles(measured: Quantiles) -> str:
    """``p50 3.1 ms · p95 12 ms · p99 0.2 s``; empty if nothing was measured."""
    each = (("p50", measured.p50_s), ("p95", measured.p95_s), ("p99", measured.p99_s))
    return " · ".join(f"{name} {words.duration(s)}" for name, s in each if s is not None)


def calls(edge: Edge, window_s: float | None) -> str:
    """``33 calls since the services began``, ``2.1/s: 1 890 calls within the last 15 m``."""
    said = f"{words.count(edge.calls, 'call')} {words.window(window_s)}"
    return said if edge.rate is None else f"{rate(edge.rate)}: {said}"


def errors(edge: Edge) -> str:
    """``no errors``, ``timeout 5, client_error 1 (2 % of all)``."""
    if not edge.errors:
        return "no errors"
    return f"{classes(edge)} ({words.share(edge.error_share)} of all)"


def classes(edge: Edge) -> str:
    """``timeout 5, client_error 1``; empty if there are none."""
    most_first = sorted(edge.errors.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{name} {words.number(many)}" for name, many in most_first)


def after(leg: Leg) -> str:
    """``+45 ms``: after the saga's start."""
    return f"+{words.duration(leg.after_ns / 1e9)}" if leg.after_ns > 0 else "start"


def leg_label(leg: Leg) -> str:
    """``3 +45 ms · 2× · 1 error``."""
    said = f"<b>{leg.number}</b> {after(leg)}"
    if leg.times > 1:
        said += f" · {words.number(leg.times)}×"
    return said + (f" · {words.count(leg.errors, 'error')}" if leg.errors else "")


def of_edge(edge: Edge, window_s: float | None, leg: Leg | None = None) -> str:
    """All facts of an edge; HTML as Plotly reads it."""
    ends = f"<b>{plain(edge.client)} → {plain(edge.server)}</b> {plain(edge.transport)}"
    return "<br>".join([ends, *_leg(leg), *_measured(edge, window_s), *_marks(edge.marks)])


def of_node(node: Node, drawn: ServiceMap) -> str:
    """What it is, and how much goes in and out."""
    inward = sum(edge.calls for edge in drawn.edges if edge.server == node.name)
    outward = sum(edge.calls for edge in drawn.edges if edge.client == node.name)
    lines = [
        f"<b>{plain(node.name)}</b>",
        KINDS[node.kind],
        f"{words.count(inward, 'call')} in, {words.number(outward)} out",
    ]
    return "<br>".join([*lines, *_marks(node.marks)])


def _leg(leg: Leg | None) -> Iterator[str]:
    if leg is not None:
        times = "once" if leg.times == 1 else f"{words.number(leg.times)} times"
        after = words.duration(leg.after_ns / 1e9)
        bad = f", {words.count(leg.errors, 'error')}" if leg.errors else ""
        yield f"this saga: {leg.number}. on its way, {times}, first {after} after its start{bad}"


def _measured(edge: Edge, window_s: float | None) -> Iterator[str]:
    if not edge.calls:
        yield "not measured: no metric of this edge is there"
        return
    yield calls(edge, window_s)
    yield plain(errors(edge))
    if took := quantiles(edge.duration):
        yield took
    if waited := quantiles(edge.queue):
        yield f"in the queue {waited}"


def _marks(marks: tuple[Mark, ...]) -> Iterator[str]:
    return (f"<b>! {plain(mark.clause.replace('`', ''), 200)}</b>" for mark in marks)
