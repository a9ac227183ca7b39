"""Where services and edges stand on the map."""

from collections.abc import Sequence
from itertools import combinations
from math import dist

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.explorer.model.map_layout import COLUMN, Layout, Point, layout
from otel_kit.explorer.model.service_map import EdgeKey

_names = st.integers(0, 59).map(lambda number: f"service-{number:02}")
_edges = st.lists(
    st.builds(EdgeKey, _names, _names, st.sampled_from(["http", "kafka"])), max_size=150
)
often = settings(max_examples=60, deadline=None)


def _edge(ends: str, transport: str = "http") -> EdgeKey:
    client, server = ends.split()
    return EdgeKey(client, server, transport)


def _of(*ends: str) -> Layout:
    return layout([], [_edge(each) for each in ends])


def _middle(route: Sequence[Point]) -> Point:
    return route[len(route) // 2]


@often
@given(st.lists(_names, max_size=60), _edges)
def test_any_map_is_laid_out(names: list[str], edges: list[EdgeKey]) -> None:
    """Every node has a place of its own, every edge a route from its client to its server."""
    found = layout(names, edges)
    expected = {*names, *(name for edge in edges for name in edge[:2])}

    assert set(found.places) == expected
    for one, other in combinations(found.places.values(), 2):
        assert abs(one.x - other.x) >= COLUMN or abs(one.y - other.y) >= 1
    assert set(found.routes) == set(edges)
    for key, route in found.routes.items():
        ends = (found.places[key.client], found.places[key.server])
        assert dist(route[0], ends[0]) + dist(route[-1], ends[1]) < 1e-9
    assert all(0 <= p.x <= found.width and 0 <= p.y <= found.height for p in found.places.values())


@often
@given(_edges, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(edges: list[EdgeKey], random: object) -> None:
    """The same services and edges stand where they stood, whatever a source answers first."""
    mixed = list(edges)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    assert layout([], mixed) == layout([], edges)


@often
@given(_edges)
def test_edges_of_two_services_are_apart(edges: list[EdgeKey]) -> None:
    """Back and forth, by several transports, to itself: no two have one middle."""
    middles = [(key, _middle(route)) for key, route in layout([], edges).routes.items()]

    for (one, here), (other, there) in combinations(middles, 2):
        if set(one[:2]) == set(other[:2]):
            assert dist(here, there) > 0.1


def test_calls_lead_to_the_right() -> None:
    """A reply by a broker, which closes a circle, is all that leads back."""
    calls = ("user web", "web orders", "orders billing", "billing bank")
    places = _of(*calls, "billing orders", "bank web").places

    assert [name for name, _ in sorted(places.items(), key=lambda each: each[1].x)] == [
        "user", "web", "orders", "billing", "bank"
    ]  # fmt: skip


def test_a_circle_without_a_beginning_has_a_place() -> None:
    """It begins at who calls most others."""
    places = _of("a b", "b a", "b c", "c b", "b d").places

    assert places["b"].x < min(places[name].x for name in "acd")


def test_large_systems_are_no_wider_or_taller_than_one_can_see() -> None:
    """A hub with 59 callees is several columns, a chain of 60 several bands."""
    hub = _of(*(f"hub leaf-{number}" for number in range(59)))
    chain = _of(*(f"s{number:02} s{number + 1:02}" for number in range(59)))

    assert hub.height <= 10
    assert chain.width <= 9 * COLUMN


def test_a_service_that_talks_to_nobody_is_at_the_foot() -> None:
    """Also one that only calls itself, whose edge is a loop that comes back to it."""
    found = layout(["idle"], [_edge("web orders"), _edge("cron cron")])
    loop = found.routes[_edge("cron cron")]

    assert min(found.places[name].y for name in ("idle", "cron")) > found.places["web"].y
    assert dist(_middle(loop), found.places["cron"]) > 0.5


def test_an_edge_goes_around_who_stands_between() -> None:
    """A call past a neighbour is not drawn through it."""
    found = _of("a b", "b c", "a c")

    assert all(dist(point, found.places["b"]) > 0.2 for point in found.routes[_edge("a c")])


def test_nothing_is_laid_out_as_nothing() -> None:
    """No node, no edge, no size."""
    assert layout([], []) == Layout({}, {}, 0.0, 0.0)
