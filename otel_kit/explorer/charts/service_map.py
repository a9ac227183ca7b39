"""The service map as a figure: who talks to whom, how much, how fast, and what is wrong there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final

import plotly.graph_objects as go

from otel_kit.explorer.charts import map_hover
from otel_kit.explorer.charts.figure import blank, plain
from otel_kit.explorer.charts.palette import Palette, mixed
from otel_kit.explorer.model import words
from otel_kit.explorer.model.map_layout import COLUMN, Layout, Point
from otel_kit.explorer.model.map_path import Leg
from otel_kit.explorer.model.service_map import (
    Edge,
    EdgeKey,
    Mark,
    MarkKind,
    Node,
    NodeKind,
    ServiceMap,
)

_ROW_PX: Final = 92
_NODE_PX: Final = 30
_MANY: Final = 32
"""Of more edges, only those with something to say about them are labelled."""
_LABEL_AT: Final = 0.55
_LABEL_OF_TWO_AT: Final = 0.68
"""Of the way: where the labels of an edge and of that which comes back are apart."""
_LETTER_PX: Final = 7
_FADED: Final = 0.22
_SYMBOLS: Final[Mapping[NodeKind, str]] = {
    "service": "circle", "broker": "hexagon", "outside": "diamond"
}  # fmt: skip
_MARKS: Final[Mapping[MarkKind, str]] = {
    "breaker": "octagon", "lag": "hourglass", "lost_context": "x"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """The map to draw, of what was measured within `window_s` (None: since the services began).

    `selected` is an edge or the name of a node.  With `legs`, a saga's path, the rest is faded.
    """

    drawn: ServiceMap
    placed: Layout
    window_s: float | None = None
    selected: EdgeKey | str | None = None
    legs: Mapping[EdgeKey, Leg] = field(default_factory=dict)

    def passes(self, key: EdgeKey) -> bool:
        """Whether the edge is not faded."""
        return not self.legs or key in self.legs

    def visits(self, name: str) -> bool:
        """Whether the node is not faded."""
        return not self.legs or any(name in key[:2] for key in self.legs)


def figure(shown: Shown, palette: Palette) -> go.Figure:
    """The map; a clicked point's customdata is [client, server, transport] or [name]."""
    placed = shown.placed
    high = [point.y for route in placed.routes.values() for point in route]
    top, bottom = min(high, default=0.0) - 0.3, max(high, default=0.0) + 0.6
    made = blank(
        palette, height=round((bottom - top) * _ROW_PX), hovermode="closest",
        hoverdistance=14, dragmode=False,
        xaxis={"visible": False, "fixedrange": True, "range": [-0.3, placed.width + 0.3]},
        yaxis={"visible": False, "fixedrange": True, "range": [bottom, top]},
        margin={"l": _beside(placed), "r": _beside(placed), "t": 4, "b": 4},
    )  # fmt: skip
    most = max((edge.calls for edge in shown.drawn.edges), default=0)
    for edge in sorted(shown.drawn.edges, key=lambda edge: shown.passes(edge.key)):
        made.add_traces(list(_lines(edge, most, shown, palette)))
    made.add_trace(_targets(shown))
    made.add_traces([_nodes(shown, palette), _marks(shown, palette)])
    made.update_layout(annotations=[*_edge_labels(shown, palette), *_names(shown, palette)])
    return made


def mark_colour(kind: MarkKind, palette: Palette) -> str:
    """What a mark is drawn in."""
    colours = {"breaker": palette.error, "lag": palette.kinds["queue"]}
    return colours.get(kind, palette.compensation)


# -- edges -----------------------------------------------------------------------------------------


def _lines(edge: Edge, most: int, shown: Shown, palette: Palette) -> Iterator[go.Scatter]:
    """The curve with its arrow, on a broad light one if it is selected."""
    route = shown.placed.routes[edge.key]
    width = (1 if _few(shown) else 0.6) * (1.3 + 4.7 * (sqrt(edge.calls / most) if most else 0))
    if edge.key == shown.selected:
        yield _line(route, palette.series[0], width + 12, 0.25)
    strength = 1.0 if shown.passes(edge.key) else _FADED
    line = _line(route, _edge_colour(edge, shown, palette), width, strength)
    line.update(
        mode="lines+markers", marker=_arrow(len(route), line.line.color, width),
        unselected={"marker": {"opacity": 1}},
    )  # fmt: skip
    yield line


def _line(route: Sequence[Point], colour: str, width: float, opacity: float) -> go.Scatter:
    return go.Scatter(
        x=[point.x for point in route], y=[point.y for point in route], mode="lines",
        line={"color": colour, "width": width}, opacity=opacity, hoverinfo="skip",
        cliponaxis=False,
    )  # fmt: skip


def _arrow(points: int, colour: str, width: float) -> dict[str, Any]:
    """A head at the end, clear of the node there."""
    before = [0.0] * (points - 1)
    return {
        "symbol": "arrow", "angleref": "previous", "color": colour, "opacity": 1,
        "size": [*before, 9 + width], "standoff": [*before, _NODE_PX / 2 + 2], "line": {"width": 0},
    }  # fmt: skip


def _edge_colour(edge: Edge, shown: Shown, palette: Palette) -> str:
    """By the share of faults, from 10 % on all red; on a saga's path by its own errors."""
    if leg := shown.legs.get(edge.key):
        return palette.error if leg.errors else palette.series[0]
    if not edge.fault_share:
        return mixed(palette.muted, palette.page, 0.35 if _few(shown) else 0.6)
    return mixed(palette.muted, palette.error, min(1.0, 0.35 + 6.5 * edge.fault_share))


def _targets(shown: Shown) -> go.Scatter:
    """Unseen points along the curves, to point at and click."""
    xs, ys, keys, texts = [], [], [], []
    for edge in shown.drawn.edges:
        said = map_hover.of_edge(edge, shown.window_s, shown.legs.get(edge.key))
        for point in shown.placed.routes[edge.key][3:-2]:
            xs.append(point.x)
            ys.append(point.y)
            keys.append(list(edge.key))
            texts.append(said)
    unseen = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=xs, y=ys, customdata=keys, text=texts, mode="markers", hovertemplate=_SAID,
        marker={"size": 14, "opacity": 0}, selected=unseen, unselected=unseen,
    )  # fmt: skip


def _edge_labels(shown: Shown, palette: Palette) -> Iterator[dict[str, Any]]:
    pairs = {edge.key[:2] for edge in shown.drawn.edges}
    for edge in shown.drawn.edges:
        if not shown.passes(edge.key):
            continue
        if not (_few(shown) or shown.legs or edge.fault_share or edge.key == shown.selected):
            continue
        bad = edge.fault_share if not shown.legs else shown.legs[edge.key].errors
        colour = palette.error if bad else palette.muted
        part = _LABEL_OF_TWO_AT if (edge.server, edge.client) in pairs else _LABEL_AT
        yield _label(_on(edge, shown.placed, part), _said(edge, shown), colour, palette)


def _few(shown: Shown) -> bool:
    return len(shown.drawn.edges) <= _MANY


def _said(edge: Edge, shown: Shown) -> str:
    if leg := shown.legs.get(edge.key):
        return map_hover.leg_label(leg)
    often = map_hover.rate(edge.rate) if edge.rate is not None else words.number(edge.calls)
    p95 = edge.duration.p95_s
    return often if p95 is None else f"{often} · {words.duration(p95)}"


def _on(edge: Edge, placed: Layout, part: float) -> Point:
    route = placed.routes[edge.key]
    return route[round(part * (len(route) - 1))]


def _label(at: Point, text: str, colour: str, palette: Palette, **more: Any) -> dict[str, Any]:
    return {
        "x": at.x, "y": at.y, "text": text, "showarrow": False, "borderpad": 1,
        "font": {"size": 11, "color": colour}, "bgcolor": palette.page, "opacity": 0.92, **more,
    }  # fmt: skip


# -- nodes and marks -------------------------------------------------------------------------------

_SAID: Final = "%{text}<extra></extra>"


def _nodes(shown: Shown, palette: Palette) -> go.Scatter:
    nodes = shown.drawn.nodes
    places = [shown.placed.places[node.name] for node in nodes]
    return go.Scatter(
        x=[place.x for place in places], y=[place.y for place in places], mode="markers",
        customdata=[[node.name] for node in nodes], hovertemplate=_SAID, cliponaxis=False,
        text=[map_hover.of_node(node, shown.drawn) for node in nodes],
        marker={
            "symbol": [_SYMBOLS[node.kind] for node in nodes], "opacity": 1,
            "size": [_NODE_PX * (0.8 if node.kind == "outside" else 1) for node in nodes],
            "color": [_fill(node, shown, palette) for node in nodes],
            "line": {"color": [_rim(node, shown, palette) for node in nodes], "width": 2.5},
        },
        unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _rim(node: Node, shown: Shown, palette: Palette) -> str:
    colours = {"service": palette.series[0], "broker": palette.kinds["queue"]}
    own = colours.get(node.kind, palette.muted)
    return own if shown.visits(node.name) else mixed(own, palette.page, 1 - _FADED)


def _fill(node: Node, shown: Shown, palette: Palette) -> str:
    faint = 0.5 if node.name == shown.selected else 0.86
    return mixed(_rim(node, shown, palette), palette.page, faint)


def _names(shown: Shown, palette: Palette) -> Iterator[dict[str, Any]]:
    room = _letters(shown.placed)
    for node in shown.drawn.nodes:
        colour = palette.ink if shown.visits(node.name) else palette.muted
        yield _label(
            shown.placed.places[node.name], plain(node.name, room), colour, palette,
            yshift=-_NODE_PX / 2 - 12, font={"size": 13, "color": colour},
        )  # fmt: skip


def _letters(placed: Layout) -> int:
    """How long a name may be, so that those side by side are apart."""
    columns = placed.width / COLUMN + 1
    return max(9, min(26, round(120 / columns)))


def _beside(placed: Layout) -> int:
    """Pixels for half a name beside the outermost columns."""
    return round(_letters(placed) * _LETTER_PX / 2)


def _marks(shown: Shown, palette: Palette) -> go.Scatter:
    found = list(_placed_marks(shown))
    colours = [mark_colour(mark.kind, palette) for _, _, _, mark in found]
    return go.Scatter(
        x=[x for x, _, _, _ in found], y=[y for _, y, _, _ in found], mode="markers",
        customdata=[key for _, _, key, _ in found], hovertemplate=_SAID, cliponaxis=False,
        text=[plain(mark.clause, 200) for _, _, _, mark in found],
        marker={
            "symbol": [_MARKS[mark.kind] for _, _, _, mark in found], "size": 15, "opacity": 1,
            "color": colours, "line": {"color": palette.page, "width": 2},
        },
        unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _placed_marks(shown: Shown) -> Iterator[tuple[float, float, list[str], Mark]]:
    """Those of an edge along it; those of a node at its upper right, one beside the other."""
    for edge in shown.drawn.edges:
        for at, mark in enumerate(edge.marks):
            point = _on(edge, shown.placed, 0.3 - 0.1 * at)
            yield point.x, point.y, list(edge.key), mark
    for node in shown.drawn.nodes:
        place = shown.placed.places[node.name]
        for at, mark in enumerate(node.marks):
            yield place.x + 0.13 + 0.13 * at, place.y - 0.2, [node.name], mark
