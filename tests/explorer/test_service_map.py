"""The service map: what hurts, one saga's way, and the figure of both."""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from otel_kit.explorer.charts import map_hover
from otel_kit.explorer.charts.palette import DARK, LIGHT, Palette
from otel_kit.explorer.charts.service_map import Shown, figure
from otel_kit.explorer.model.map_layout import layout
from otel_kit.explorer.model.map_path import Leg, legs
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.service_map import (
    EdgeKey,
    Passage,
    ServiceMap,
    hurts_first,
    path_over,
    service_map,
)
from otel_kit.records import BreakerRecord, EdgeRecord, PropagationRecord, Quantiles, QueueRecord
from tests.explorer.building import START_NS, order

_ROWS = [
    EdgeRecord("web", "orders", "grpc", "server", 100, {}, Quantiles(0.001, 0.002, 0.003)),
    EdgeRecord("orders", "billing", "kafka", "consumer", 60, {"business": 6}, Quantiles(0.01),
               Quantiles(0.1, 0.2, 0.4)),
    EdgeRecord("billing", "bank", "http", "server", 50, {"timeout": 4, "client_error": 1}),
    EdgeRecord("billing", "bank", "circuit_breaker", "client", 90, {"breaker_open": 90}),
    EdgeRecord("billing", "kafka", "kafka", "producer", 60),
    EdgeRecord("unknown", "web", "http", "server", 100),
]  # fmt: skip
_AROUND = Surroundings(
    edges=_ROWS,
    queues=[QueueRecord("kafka", "billing.commands", "billing", lag=4)],
    breakers=[BreakerRecord("bank", "bank", "billing", "open", None, 0, 0, 0)],
    propagation=[PropagationRecord("orders", "billing", "kafka", "q", {"missing": 1})],
)
_BILLING = EdgeKey("orders", "billing", "kafka")
_BANK = EdgeKey("billing", "bank", "http")


def _shown(drawn: ServiceMap | None = None, **fields: Any) -> Shown:
    drawn = drawn or service_map(_AROUND)
    placed = layout([node.name for node in drawn.nodes], [edge.key for edge in drawn.edges])
    return Shown(drawn, placed, **fields)


def _labels(made: go.Figure) -> list[str]:
    return [note.text for note in made.layout.annotations]


def _said(made: go.Figure) -> dict[tuple[str, ...], str]:
    """What is said where one points, by what a click there selects."""
    return {
        tuple(key): text
        for trace in made.data
        if trace.customdata is not None
        for key, text in zip(trace.customdata, trace.text, strict=True)
    }


# -- the model -------------------------------------------------------------------------------------


def test_faults_are_apart_from_refusals() -> None:
    """What the caller did wrong, or the application declined, is no fault of the edge."""
    edges = {edge.key: edge for edge in service_map(_AROUND).edges}
    bank, billing = edges[_BANK], edges[_BILLING]

    assert (bank.fault_share, bank.refusal_share) == pytest.approx((0.08, 0.02))
    assert (billing.fault_share, billing.refusal_share) == pytest.approx((0, 0.1))
    assert bank.error_share == pytest.approx(0.1)


def test_what_hurts_is_first() -> None:
    """Faults, then marks, then refusals, then slowness."""
    found = [(edge.client, edge.server) for edge in hurts_first(service_map(_AROUND).edges)]

    assert found[:4] == [
        ("billing", "bank"), ("billing", "bank"), ("orders", "billing"), ("web", "orders")
    ]  # fmt: skip


def test_a_sagas_way_is_found_on_the_map() -> None:
    """Over the transport in use, not over a breaker's refusals; what no metric knows is added."""
    drawn, found = legs(service_map(_AROUND), path_over(order().story()), START_NS)
    keys = [leg.key for leg in found]

    assert [leg.number for leg in found] == [1, 2, 3, 4, 5, 6, 7]
    assert keys[5] == _BANK
    assert keys[2] == EdgeKey("orders", "inventory", "")
    assert {leg.key for leg in found} <= {edge.key for edge in drawn.edges}
    assert "inventory" in {node.name for node in drawn.nodes}
    assert (found[0].after_ns, found[5].after_ns > 0) == (0, True)


def test_what_only_a_breaker_knows_is_still_on_the_way() -> None:
    """A pair of which only refusals were measured is matched with them."""
    drawn = service_map(Surroundings(edges=[_ROWS[3]]))
    _, [leg] = legs(drawn, [Passage("billing", "bank", 7, 2, 1)], 0)

    assert leg == Leg(1, EdgeKey("billing", "bank", "circuit_breaker"), 7, 2, 1)


# -- the figure ------------------------------------------------------------------------------------


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_all_that_is_on_the_map_is_drawn(palette: Palette) -> None:
    """A line for each edge, a sign for each node and mark, facts where one points."""
    shown = _shown()
    made = figure(shown, palette)
    lines = [trace for trace in made.data if trace.mode == "lines+markers"]
    [nodes, marks] = made.data[-2:]
    said = _said(made)

    assert len(lines) == len(_ROWS)
    assert dict(zip((key[0] for key in nodes.customdata), nodes.marker.symbol, strict=True)) == {
        "bank": "circle",
        "billing": "circle",
        "kafka": "hexagon",
        "orders": "circle",
        "unknown": "diamond",
        "web": "circle",
    }
    assert sorted(marks.marker.symbol) == ["hourglass", "octagon", "octagon", "x"]
    assert {tuple(edge.key) for edge in shown.drawn.edges} <= set(said)
    assert "p50 1 ms · p95 2 ms · p99 3 ms" in said["web", "orders", "grpc"]


def test_hovering_an_edge_tells_its_facts() -> None:
    """Calls and since when, errors by class, quantiles, queue wait, what is wrong."""
    drawn = service_map(_AROUND, 50)
    edges = {edge.key: edge for edge in drawn.edges}
    bank = map_hover.of_edge(edges[_BANK], 50)
    billing = map_hover.of_edge(edges[_BILLING], 50)

    assert "1.0/s: 50 calls within the last 50.0 s" in bank
    assert "timeout 4, client_error 1 (10 % of all)" in bank
    assert "! the breaker bank is open" in bank
    assert "in the queue p50 100 ms · p95 200 ms · p99 400 ms" in billing
    assert "60 calls since the services began" in map_hover.of_edge(
        replace(edges[_BILLING], rate=None), None
    )


def test_labels_say_rate_and_p95() -> None:
    """Calls where the time they were counted over is unknown."""
    assert "100 · 2 ms" in _labels(figure(_shown(), LIGHT))
    assert "2.0/s · 2 ms" in _labels(figure(_shown(service_map(_AROUND, 50)), LIGHT))


def test_more_calls_are_wider_and_more_faults_redder() -> None:
    """Width and colour tell the two apart without reading."""
    rows = [
        EdgeRecord("a", "b", "http", "server", 1000),
        EdgeRecord("a", "c", "http", "server", 10),
        EdgeRecord("a", "d", "http", "server", 10, {"timeout": 10}),
        EdgeRecord("a", "e", "http", "server", 10, {"client_error": 10}),
    ]
    made = figure(_shown(service_map(Surroundings(edges=rows))), LIGHT)
    b, c, d, e = (trace.line for trace in made.data if trace.mode == "lines+markers")

    assert b.width > c.width == d.width
    assert (d.color, c.color) == (LIGHT.error, e.color)
    assert c.color != d.color


def test_the_way_of_a_saga_stands_out() -> None:
    """Its edges are numbered, in red where it failed; all others are faded and without labels."""
    drawn, found = legs(
        service_map(_AROUND), [Passage("web", "orders", 0, 1, 0), Passage(*_BANK[:2], 5, 3, 2)], 0
    )
    made = figure(_shown(drawn, legs={leg.key: leg for leg in found}), LIGHT)
    lines = [trace for trace in made.data if trace.mode == "lines+markers"]
    numbered = [text for text in _labels(made) if text.startswith("<b>")]

    assert sorted(line.opacity for line in lines)[-2:] == [1, 1]
    assert max(line.opacity for line in lines[:-2]) < 0.5
    assert sorted(numbered) == ["<b>1</b> start", "<b>2</b> +0 µs · 3× · 2 errors"]
    assert {line.line.color for line in lines[-2:]} == {LIGHT.series[0], LIGHT.error}


def test_the_selected_edge_has_a_halo() -> None:
    """One more, broader and lighter line."""
    without, chosen = figure(_shown(), LIGHT), figure(_shown(selected=_BANK), LIGHT)

    assert len(chosen.data) == len(without.data) + 1
    assert [trace.opacity for trace in chosen.data if trace.mode == "lines"] == [0.25]


def test_received_names_are_harmless_and_shortened() -> None:
    """A name is never read as HTML, and a long one leaves room for others."""
    row = EdgeRecord("<b>bold</b>", "x" * 300, "<i>", "server", 1, {"<u>": 1})
    made = figure(_shown(service_map(Surroundings(edges=[row]))), LIGHT)
    said = " ".join([*_said(made).values(), *_labels(made)])

    assert "&lt;b&gt;bold" in said
    assert not [tag for tag in ("<b>bold", "<i>", "<u>", "x" * 130) if tag in said]


def test_of_very_many_edges_only_what_hurts_is_labelled() -> None:
    """Names stay, and one label is for the edge that fails."""
    rows = [EdgeRecord(f"s{n}", f"s{n + 1}", "http", "server", 9) for n in range(50)]
    failing = replace(rows[7], errors={"timeout": 3})
    made = figure(_shown(service_map(Surroundings(edges=[*rows[:7], failing, *rows[8:]]))), LIGHT)

    assert len(made.layout.annotations) == 51 + 1
