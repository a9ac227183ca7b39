"""The figures of the critical path, the sequence and the comparison, as pure functions."""

from typing import Any

import pytest
from hypothesis import given, settings

from otel_kit.explorer.charts import compare, critical_path, sequence
from otel_kit.explorer.charts.palette import DARK, LIGHT, Palette
from otel_kit.explorer.model.compare import compare as compared
from otel_kit.explorer.model.compare import profile
from otel_kit.explorer.model.critical_path import critical_path as path_of
from otel_kit.explorer.model.facts import key
from otel_kit.explorer.model.sequence import Diagram, Message
from otel_kit.explorer.model.sequence import sequence as diagram_of
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.stitch import stitch
from otel_kit.records import SagaDetail
from tests.explorer.building import Made, at, order
from tests.explorer.odd_sagas import SHAPES, crowded, lost_context, retried_and_compensated
from tests.explorer.shapes import sagas


def _diagram(made: Made) -> Diagram:
    story = made.story()
    return diagram_of(story, steps(story))


def _drawn(made: Made, page: int = 1, **options: Any) -> Any:
    return sequence.drawn(_diagram(made), page, at(0), LIGHT, **options)


def _texts(figure: Any) -> list[str]:
    return [note.text for note in figure.layout.annotations if note.text]


# -- the critical path -----------------------------------------------------------------------------


def test_the_strip_has_a_bar_for_each_piece() -> None:
    """Side by side from the start to the end, in the colours of their labels."""
    story = order().story()
    path = path_of(story)
    [bars] = critical_path.strip(path, LIGHT).data

    assert len(bars.x) == len(path.pieces)
    assert sum(bars.x) == pytest.approx(story.duration_ns / 1e6)
    assert list(bars.marker.color) == [LIGHT.kinds[piece.label] for piece in path.pieces]
    assert [tuple(span) for span in bars.customdata] == [piece.span for piece in path.pieces]
    assert "<b>10 ms</b> waiting in the queue from orders to billing" in bars.hovertext[9]


def test_what_is_presumed_is_hatched() -> None:
    """In the strip and in the sum of its edge, and the hover says why."""
    path = path_of(lost_context("x").story())
    for figure in (critical_path.strip(path, DARK), critical_path.edges(path, DARK)):
        [bars] = figure.data
        hatched = [text for text, shape in zip(bars.hovertext, bars.marker.pattern.shape,
                                               strict=True) if shape]  # fmt: skip
        assert len(hatched) == 1
        assert "from orders to b" in hatched[0]
        assert "presumed" in hatched[0]


def test_the_selected_span_is_framed() -> None:
    """And no other."""
    story = order().story()
    path = path_of(story)
    [bars] = critical_path.strip(path, LIGHT, path.pieces[9].span).data

    framed = [place for place, colour in enumerate(bars.marker.line.color) if colour == LIGHT.ink]
    assert [path.pieces[place].span for place in framed] == [path.pieces[9].span] * len(framed)
    assert 9 in framed


def test_a_path_of_very_many_pieces_has_a_bounded_number_of_bars() -> None:
    """Together they are as long as the saga."""
    made = Made()
    above = made.span("root", 0, 1)
    for hop in range(2_000):
        above = made.message("q", hop * 4, hop * 4 + 2, hop * 4 + 4, ("a", "b"), above)
    story = made.story()
    path = path_of(story)
    [bars] = critical_path.strip(path, LIGHT).data

    assert len(path.pieces) > 3_000 > 1_601 >= len(bars.x)
    assert sum(bars.x) == pytest.approx(story.duration_ns / 1e6)
    assert "short pieces, mostly this" in bars.hovertext[5]


def test_edges_are_sorted_and_have_their_share() -> None:
    """The smallest are left out and counted."""
    path = path_of(order(charge=900).story())
    [bars] = critical_path.edges(path, LIGHT).data

    assert list(bars.x) == sorted(bars.x, reverse=True)
    assert bars.text[0] == "92 % · 900 ms"
    many = path_of(crowded("x").story())
    assert critical_path.edges_left_out(path) == 0
    assert critical_path.edges_left_out(many) == len(many.by_edge) - 15


# -- the sequence ----------------------------------------------------------------------------------


def test_messages_say_how_long_they_waited_and_steps_how_long_they_took() -> None:
    """A message slopes, a call does not."""
    figure = _drawn(order())
    lines = [trace for trace in figure.data if trace.mode == "lines"]

    assert "inventory.commands, waited 5 ms" in _texts(figure)
    assert "reserve-inventory, 14 ms" in _texts(figure)
    assert [line.y[0] == line.y[-1] for line in lines[:4]] == [True, True, False, True]
    assert list(figure.layout.xaxis.ticktext) == [
        f"<b>{name}</b>" for name in ("unknown", "web", "orders", "inventory", "billing", "bank")
    ]


def test_what_was_lost_is_dashed_and_what_was_not_answered_ends_in_a_cross() -> None:
    """A lost context did arrive: it is dashed only."""
    figure = _drawn(lost_context("x"))
    dashes = [trace.line.dash for trace in figure.data if trace.mode == "lines"]
    crosses = [trace for trace in figure.data if trace.marker.symbol == "x"]

    assert _texts(figure) == ["q, waited 47 ms, context lost", "nobody, not taken", "POST",
                              "timeout"]  # fmt: skip
    assert dashes == ["dash", "dash", "dash", "solid"]
    assert len(crosses) == 2


def test_errors_are_red_and_compensations_have_their_colour() -> None:
    """Also those of steps."""
    figure = _drawn(retried_and_compensated("x"))
    colours = {note.text: note.bordercolor for note in figure.layout.annotations}

    assert colours["charge, 30 ms, business"] == LIGHT.error
    assert colours["undo reserve, 5 ms, unavailable"] == LIGHT.error
    assert colours["undo pack, 3 ms"] == LIGHT.compensation


def test_every_arrow_can_be_clicked() -> None:
    """The points along it carry its span."""
    diagram = _diagram(order())
    targets = _drawn(order()).data[-1]

    assert {tuple(span) for span in targets.customdata} == {m.span for m in diagram.messages}
    assert len(targets.x) == len(targets.customdata) == len(targets.hovertext)


def test_a_long_sequence_has_pages() -> None:
    """Each with the participants that occur on it; a selected span leads to its own."""
    made = crowded("x")
    diagram = _diagram(made)
    last = diagram.messages[-1]

    assert sequence.pages(diagram) == 3
    assert sequence.page_of(diagram, last.span) == 3
    assert sequence.page_of(diagram, ("no", "such")) == sequence.page_of(diagram, None) == 1
    assert len(_drawn(made, 1).layout.yaxis.ticktext) == sequence.PER_PAGE
    assert len(_drawn(made, 3).layout.yaxis.ticktext) == len(diagram.messages) % sequence.PER_PAGE
    assert sequence.pages(Diagram((), ())) == 1


def test_received_names_are_no_markup() -> None:
    """Plotly reads tags in its texts; names of services are not to be read so."""
    made = crowded("x")
    figures = [_drawn(made), critical_path.edges(path_of(made.story()), LIGHT)]

    for figure in figures:
        assert "<i>" not in figure.to_json().replace("\\u003c", "<").replace("\\u003e", ">")


def test_a_message_to_oneself_is_a_loop() -> None:
    """It leaves the line and comes back, to the left of the last participant."""
    loops = [
        Message("message", name, name, "q", at(0), at(1), ("t", name)) for name in ("a", "b", "c")
    ]
    figure = sequence.drawn(Diagram(("a", "b", "c"), tuple(loops)), 1, at(0), LIGHT)
    lines = [trace.x for trace in figure.data if trace.mode == "lines"]

    assert [(xs[0], xs[-1], xs[1] > xs[0]) for xs in lines] == [
        (0, 0, True), (1, 1, True), (2, 2, False)
    ]  # fmt: skip


# -- the comparison --------------------------------------------------------------------------------


def test_longer_is_to_the_right_and_missing_to_the_left() -> None:
    """What is alike is not drawn."""
    mine, other = order(charge=900), order()
    other.step("ship", 200, 300, "shipping")
    figure = compare.diverging(compared(profile(mine.story()), profile(other.story())), LIGHT)
    [bars] = figure.data

    drawn = dict(zip(figure.layout.yaxis.ticktext, bars.x, strict=True))
    assert drawn == {
        "charge-payment · step": pytest.approx(880),
        "ship · step": pytest.approx(-100),
        "billing → bank · call": pytest.approx(880),
    }
    assert list(bars.text) == ["+880 ms", "−100 ms missing", "+880 ms"]
    assert list(bars.marker.pattern.shape) == ["", "/", ""]


def test_only_the_largest_differences_are_drawn() -> None:
    """The table has the others."""
    mine = Made()
    for number in range(60):
        mine.step(f"step-{number}", 0, 10 + number, "a")
    [bars] = compare.diverging(compared(profile(mine.story()), {}), LIGHT).data

    assert len(bars.x) == compare.MOST
    assert min(bars.x) == pytest.approx(10 + 60 - compare.MOST)


# -- all of them -----------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(sagas())
def test_whatever_the_saga_the_figures_can_be_drawn(detail: SagaDetail) -> None:
    """In both palettes, and they are JSON that a browser can read."""
    story = stitch(detail, correct_skew=True)
    for palette in (LIGHT, DARK):
        _draw_all(story, palette)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_selected_span_never_breaks_a_figure(shape: str) -> None:
    """Each span of each odd saga can be selected."""
    story = SHAPES[shape]("x").story()
    diagram = diagram_of(story, steps(story))
    for span in list(story.spans.values())[:20]:
        page = sequence.page_of(diagram, key(span))
        sequence.drawn(diagram, page, story.started_ns, DARK, key(span))
        critical_path.strip(path_of(story), DARK, key(span))


def _draw_all(story: Any, palette: Palette) -> None:
    path, diagram = path_of(story), diagram_of(story, steps(story))
    differences = compared(profile(story), {})
    for figure in (
        critical_path.strip(path, palette),
        critical_path.edges(path, palette),
        sequence.drawn(diagram, 1, story.started_ns, palette),
        compare.diverging(differences, palette),
    ):
        assert "NaN" not in figure.to_json()
