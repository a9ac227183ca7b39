"""Where everything stands on the service map; pure, and the same for the same services and edges.

Lengths are in units of a row; `COLUMN` of them lie between two columns.  y grows downward.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import Final, NamedTuple, TypeVar

from otel_kit.explorer.model.map_layers import layers
from otel_kit.explorer.model.service_map import EdgeKey

T = TypeVar("T")
COLUMN: Final = 2.0
_MOST_ROWS: Final = 10
_MOST_COLUMNS: Final = 10
_POINTS: Final = 24
"""Of a curve, besides its start."""
_NEAR: Final = 0.3
"""A curve keeps this far from the nodes it passes, if it can."""
_BENDS: Final = (0.0, 0.06, 0.12, 0.18, 0.24, 0.3, 0.36, 0.45)
"""How far a curve bows to its left, in parts of its length; the least that is free is taken."""
_APART: Final = 0.12
"""Between the bends of two curves of the same two nodes."""
_MOST_BOW: Final = 1.5
"""Rows: no curve goes further out of its way."""
_LOOP: Final = 0.42


class Point(NamedTuple):
    """A place on the map."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of nodes; routes of edges as points from the client's place to the server's."""

    places: Mapping[str, Point]
    routes: Mapping[EdgeKey, Sequence[Point]]
    width: float
    height: float


def layout(nodes: Iterable[str], edges: Iterable[EdgeKey]) -> Layout:
    """Callers left of whom they call; no two nodes nearer than a row or a column."""
    keys = sorted(set(edges))
    names = sorted({*nodes, *(key.client for key in keys), *(key.server for key in keys)})
    places = _places(names, keys)
    xs = [place.x for place in places.values()] or [0.0]
    ys = [place.y for place in places.values()] or [0.0]
    return Layout(places, _routes(keys, places), max(xs), max(ys))


# -- nodes -----------------------------------------------------------------------------------------


def _places(names: Sequence[str], keys: Sequence[EdgeKey]) -> dict[str, Point]:
    """Columns from left to right; in bands below each other where there are too many."""
    found: dict[str, Point] = {}
    top = 0.0
    for band in _bands(names, keys):
        tallest = max(len(column) for column in band)
        for x, column in enumerate(band):
            above = top + (tallest - len(column)) / 2
            found.update((n, Point(x * COLUMN, above + row)) for row, n in enumerate(column))
        top += tallest + 0.5
    return found


def _bands(names: Sequence[str], keys: Sequence[EdgeKey]) -> Iterator[Sequence[Sequence[str]]]:
    """Bands of columns; the last are of those that call nobody, and whom nobody calls."""
    ordered = layers(names, ((key.client, key.server) for key in keys))
    columns = [column for layer in ordered for column in _columns(layer)]
    yield from _parts(columns, _MOST_COLUMNS)
    alone = sorted(set(names) - {name for layer in ordered for name in layer})
    yield from _parts([(name,) for name in alone], _MOST_COLUMNS)


def _columns(layer: Sequence[str]) -> Iterator[Sequence[str]]:
    """One column, or several of like height where a layer is too tall."""
    parts = -(-len(layer) // _MOST_ROWS)
    return _parts(layer, -(-len(layer) // parts))


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))


# -- edges -----------------------------------------------------------------------------------------


def _routes(keys: Sequence[EdgeKey], places: Mapping[str, Point]) -> dict[EdgeKey, list[Point]]:
    taken: dict[tuple[str, str], list[float]] = {}
    pairs = {key[:2] for key in keys}
    found: dict[EdgeKey, list[Point]] = {}
    for key in keys:
        ends, back = key[:2], key[1::-1]
        own = taken.setdefault(ends, [])
        if key.client == key.server:
            bend, found[key] = 0.0, _loop(places[key.client], _LOOP * (1 + 0.5 * len(own)))
        else:
            used = [*own, *(-bend for bend in taken.get(back, ()))]
            bends = [*_bends(back in pairs, len(own))]
            free = [bend for bend in bends if all(abs(bend - other) >= _APART for other in used)]
            bend, found[key] = _first_clear(key, free, places)
        own.append(bend)
    return found


def _bends(both_ways: bool, taken: int) -> Iterator[float]:
    """To either side; with traffic both ways each keeps to its left."""
    more = (_BENDS[-1] + _APART * (1 + number) for number in range(taken))
    for bend in (*_BENDS, *more):
        if not both_ways:
            yield from (bend, -bend)
        elif bend >= _APART / 2:
            yield bend


def _first_clear(
    key: EdgeKey, bends: Sequence[float], places: Mapping[str, Point]
) -> tuple[float, list[Point]]:
    start, end = places[key.client], places[key.server]
    length = hypot(end.x - start.x, end.y - start.y)
    others = [place for name, place in places.items() if name not in key[:2]]
    for bend in bends:
        curve = _curve(start, end, bend)
        bow = abs(bend) * length
        if bow <= _MOST_BOW and not any(_touches(curve[2:-2:2], other) for other in others):
            return bend, curve
    return bends[0], _curve(start, end, bends[0])


def _touches(curve: Sequence[Point], other: Point) -> bool:
    return any(hypot(point.x - other.x, point.y - other.y) < _NEAR for point in curve)


def _curve(start: Point, end: Point, bend: float) -> list[Point]:
    """A quadratic Bézier curve whose middle is `bend` of its length off the straight line."""
    across, down = end.x - start.x, end.y - start.y
    by = 2 * bend
    control = Point(
        (start.x + end.x) / 2 + by * down, (start.y + end.y) / 2 - by * across
    )  # fmt: skip
    return [_bezier(start, control, end, step / _POINTS) for step in range(_POINTS + 1)]


def _bezier(start: Point, control: Point, end: Point, t: float) -> Point:
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
    return Point(
        a * start.x + b * control.x + c * end.x, a * start.y + b * control.y + c * end.y
    )  # fmt: skip


def _loop(place: Point, radius: float) -> list[Point]:
    """A circle above the node, from it to it."""
    angles = (pi / 2 + 2 * pi * step / _POINTS for step in range(_POINTS + 1))
    return [
        Point(place.x + radius * cos(angle), place.y - radius + radius * sin(angle))
        for angle in angles
    ]
