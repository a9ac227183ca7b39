"""Beside the map: facts of what is selected, a saga's hops, else what hurts and what signs mean."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from otel_kit.explorer.charts import map_hover
from otel_kit.explorer.charts import service_map as chart
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.charts.service_map import Shown
from otel_kit.explorer.model import words
from otel_kit.explorer.model.map_path import Leg
from otel_kit.explorer.model.service_map import (
    Edge,
    EdgeKey,
    Mark,
    MarkKind,
    Node,
    NodeKind,
    hurts_first,
)
from otel_kit.explorer.views import links, shell
from otel_kit.explorer.views.linked import Linked
from otel_kit.explorer.views.markdown import inline_html
from otel_kit.records import Quantiles

_MOST: Final = 8
_SIGNS: Final[Mapping[MarkKind, str]] = {
    "breaker": "a breaker is open or half-open",
    "lag": "messages wait to be handled",
    "lost_context": "context is lost on the way",
}
_SHAPES: Final[Mapping[NodeKind, str]] = {
    "service": "a service",
    "broker": "a broker",
    "outside": "outside: it does not report",
}
_SIDES: Final = {
    "client": "caller",
    "producer": "sender",
    "server": "callee",
    "consumer": "handler",
}


def show(shown: Shown, saga_id: str) -> None:
    """In HTML of our own, so that every name is a link."""
    _FACTS.show("".join(_html(shown, saga_id)), key="map_facts", colours=_colours(shell.palette()))


def _html(shown: Shown, saga_id: str) -> Iterator[str]:
    if shown.selected:
        yield f'<a class="clear" href="{escape(links.to_map(saga_id=saga_id))}">✕ clear</a>'
    edge = next((e for e in shown.drawn.edges if e.key == shown.selected), None)
    node = next((n for n in shown.drawn.nodes if n.name == shown.selected), None)
    if edge is not None:
        yield from _edge(edge, shown, saga_id)
    elif node is not None:
        yield from _node(node, shown, saga_id)
    elif shown.selected:
        yield "<p>What the address names is not on the map (any more).</p>"
    if shown.legs:
        yield from _path(shown, saga_id)
    elif edge is None and node is None:
        yield from _overview(shown)
        yield from _legend()


# -- an edge ---------------------------------------------------------------------------------------


def _edge(edge: Edge, shown: Shown, saga_id: str) -> Iterator[str]:
    ends = " → ".join(_link(name, name, saga_id) for name in edge.key[:2])
    yield f"<h2>{ends} <small>{escape(edge.transport)}</small></h2>"
    yield from _marks(edge.marks)
    if not edge.calls:
        yield "<p>No metric of this edge is there: only sagas tell of it.</p>"
        return
    yield f"<p>{escape(map_hover.calls(edge, shown.window_s))}</p>"
    yield from _errors(edge)
    took = "Calls" if edge.side in ("client", "server") else "Handling"
    by = _SIDES.get(edge.side, "")
    yield from _quantiles(took, edge.duration, f"as the {by} measured" if by else "")
    yield from _quantiles("In the queue", edge.queue, "from sending to the start of handling")


def _errors(edge: Edge) -> Iterator[str]:
    if not edge.errors:
        yield "<p>No errors.</p>"
        return
    yield (
        f"<p><b>{words.share(edge.fault_share)}</b> faults, "
        f"<b>{words.share(edge.refusal_share)}</b> refusals</p><table>"
    )
    for name, many in sorted(edge.errors.items(), key=lambda each: (-each[1], each[0])):
        part = words.share(many / edge.calls) if edge.calls else ""
        yield f"<tr><td>{escape(name)}</td><td>{words.number(many)}</td><td>{part}</td></tr>"
    yield "</table>"


def _quantiles(title: str, measured: Quantiles, note: str) -> Iterator[str]:
    each = {"p50": measured.p50_s, "p95": measured.p95_s, "p99": measured.p99_s}
    known = {name: seconds for name, seconds in each.items() if seconds is not None}
    if known:
        shown = "".join(
            f"<div><dt>{name}</dt><dd>{words.duration(seconds)}</dd></div>"
            for name, seconds in known.items()
        )
        yield f"<h3>{title} <small>{note}</small></h3><dl>{shown}</dl>"


# -- a node, a path --------------------------------------------------------------------------------


def _node(node: Node, shown: Shown, saga_id: str) -> Iterator[str]:
    yield f"<h2>{escape(node.name)}</h2><p>{map_hover.KINDS[node.kind]}</p>"
    yield from _marks(node.marks)
    inward = [edge for edge in shown.drawn.edges if edge.server == node.name]
    outward = [edge for edge in shown.drawn.edges if edge.client == node.name]
    for title, edges in (("In", inward), ("Out", outward)):
        if edges:
            rows = "".join(_row(edge, saga_id) for edge in hurts_first(edges))
            yield f"<h3>{title}</h3><table>{rows}</table>"


def _row(edge: Edge, saga_id: str) -> str:
    p95 = edge.duration.p95_s
    share = f'<span class="bad">{words.share(edge.fault_share)}</span>' if edge.fault_share else ""
    name = f"{edge.client} → {edge.server}"
    return (
        f"<tr><td>{_link(name, edge.key, saga_id)} <small>{escape(edge.transport)}</small></td>"
        f"<td>{words.number(edge.calls)}</td><td>{share}</td>"
        f"<td>{'' if p95 is None else words.duration(p95)}</td></tr>"
    )


def _path(shown: Shown, saga_id: str) -> Iterator[str]:
    rows = "".join(_leg(leg, saga_id) for leg in shown.legs.values())
    saga = f'<a href="{escape(links.to_saga(saga_id))}">{escape(saga_id)}</a>'
    yield f"<h3>The way of {saga}</h3><table>{rows}</table>"


def _leg(leg: Leg, saga_id: str) -> str:
    times = f"{words.number(leg.times)}×" if leg.times > 1 else ""
    bad = f'<span class="bad">{words.count(leg.errors, "error")}</span>' if leg.errors else ""
    name = f"{leg.key.client} → {leg.key.server}"
    return (
        f"<tr><td>{leg.number}. {_link(name, leg.key, saga_id)}</td><td>{times}</td>"
        f"<td>{map_hover.after(leg)}</td><td>{bad}</td></tr>"
    )


# -- nothing selected ------------------------------------------------------------------------------


def _overview(shown: Shown) -> Iterator[str]:
    wrong = [edge for edge in hurts_first(shown.drawn.edges) if edge.fault_share or edge.marks]
    marked = [node for node in shown.drawn.nodes if node.marks]
    yield "<h3>What hurts</h3>"
    if not wrong and not marked:
        yield "<p>Nothing: no faults, no open breaker, no backlog, no lost context.</p>"
    for edge in wrong[:_MOST]:
        share = f"{words.share(edge.fault_share)} faults" if edge.fault_share else ""
        said = ", ".join([share] * bool(share) + [inline_html(m.clause) for m in edge.marks])
        link = _link(f"{edge.client} → {edge.server}", edge.key, "")
        yield f"<p>{link} <small>{escape(edge.transport)}</small>: {said}</p>"
    for node in marked[:_MOST]:
        said = ", ".join(inline_html(mark.clause) for mark in node.marks)
        yield f"<p>{_link(node.name, node.name, '')}: {said}</p>"
    if (left := len(wrong[_MOST:]) + len(marked[_MOST:])) > 0:
        yield f"<p>… and {left} more.</p>"
    yield "<p><small>Click an edge or a service for its facts and its sagas.</small></p>"


def _legend() -> Iterator[str]:
    yield '<h3>Signs</h3><ul class="signs">'
    for sign, meaning in (*_SHAPES.items(), *_SIGNS.items()):
        yield f'<li><i class="{sign}"></i>{meaning}</li>'
    yield '<li><i class="line"></i>wider: more calls; redder: more faults</li>'
    yield "<li><i>12</i>calls, and the p95 of how long they took</li></ul>"


def _link(text: str, to: EdgeKey | str, saga_id: str) -> str:
    address = escape(links.to_map(to, saga_id=saga_id))
    return f'<a href="{address}">{escape(text)}</a>'


def _marks(marks: tuple[Mark, ...]) -> Iterator[str]:
    for mark in marks:
        yield f'<p class="mark" style="--c:var(--{mark.kind})">{inline_html(mark.clause)}</p>'


def _colours(palette: Palette) -> dict[str, str]:
    marks: dict[str, str] = {kind: chart.mark_colour(kind, palette) for kind in _SIGNS}
    return {
        **marks, "service": palette.series[0], "broker": palette.kinds["queue"],
        "muted": palette.muted, "line": palette.line, "surface": palette.surface,
        "error": palette.error,
    }  # fmt: skip


_FACTS: Final = Linked("map_facts")
