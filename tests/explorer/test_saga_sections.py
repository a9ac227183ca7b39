"""The sections of a saga's page and the page that compares, on a real collector fed by OTLP."""

from collections.abc import Iterator

import pytest

from otel_kit.explorer.model.facts import key
from tests.embedded.running import Client, collector
from tests.explorer.building import order
from tests.explorer.feeding import feed
from tests.explorer.odd_sagas import SHAPES, retried_and_compensated
from tests.explorer.visiting import charts_of, compare_page, exploring, html_of, saga_page, visit


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A collector with a saga of every shape, and some healthy ones."""
    with collector() as found, exploring(found):
        for name, shape in SHAPES.items():
            feed(found, shape(name))
        for number in range(3):
            feed(found, order(f"healthy-{number}"))
        feed(found, order("slow", charge=1_020, queued=14_010), seconds_ago=40)
        yield found


@pytest.mark.parametrize("view", ["path", "sequence", "ledger", "compare"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.usefixtures("client")
def test_no_shape_of_a_saga_breaks_a_section(shape: str, view: str) -> None:
    """Parallel, broken, skewed, circular, crowded: something is shown, and no error."""
    page = visit(saga_page, id=shape, view=view)

    assert not page.error
    assert shape in html_of(page)
    nothing_to_draw = [info.value for info in page.info]
    assert charts_of(page) or nothing_to_draw or "<table>" in html_of(page)


@pytest.mark.usefixtures("client")
def test_the_path_says_what_took_most() -> None:
    """A sentence, the sum for each label, two charts."""
    page = visit(saga_page, id="slow", view="path")

    assert page.markdown[0].value == (
        "##### 93 % of 15\\.1 s went into waiting in the queue from orders to billing\\."
    )
    assert "<dt>queue</dt><dd><b>93 %</b> 14.0 s</dd>" in html_of(page)
    assert len(charts_of(page)) == 2


@pytest.mark.usefixtures("client")
def test_the_path_of_a_saga_in_progress_says_where_it_ends() -> None:
    """And what of it is presumed."""
    said = [caption.value for caption in visit(saga_page, id="lost_context", view="path").caption]

    assert any("the path ends with the last span seen" in each for each in said)
    assert any("Hatched is presumed" in each for each in said)


@pytest.mark.usefixtures("client")
def test_a_long_sequence_is_paged_and_the_selected_span_opens_its_page() -> None:
    """How many there are is said."""
    first = visit(saga_page, id="crowded", view="sequence")
    assert any("Messages 1 to 40 of 102" in caption.value for caption in first.caption)

    [figure] = charts_of(visit(saga_page, id="crowded", view="sequence", messages="3"))
    trace_id, span_id = figure["data"][-1]["customdata"][-1]
    last = visit(saga_page, id="crowded", view="sequence", span=f"{trace_id}.{span_id}")
    assert any("Messages 81 to 102 of 102" in caption.value for caption in last.caption)


@pytest.mark.usefixtures("client")
def test_the_ledger_shows_what_could_not_be_undone_and_why() -> None:
    """In words; a step leads to its span; received text is no markup."""
    html = html_of(visit(saga_page, id="retried_and_compensated", view="ledger"))

    assert "Partially compensated: 1 action was undone; could not be undone: <code>reserve" in html
    assert "unavailable: no answer" in html
    assert "card &lt;b&gt;declined&lt;/b&gt;" in html
    assert all(f">{word}</span>" in html for word in (
        "could not be undone", "undone", "failed, nothing to undo"
    ))  # fmt: skip
    charge = retried_and_compensated("retried_and_compensated").spans[3]
    assert f"span={'.'.join(key(charge))}" in html


@pytest.mark.usefixtures("client")
def test_a_step_longer_than_usual_is_marked() -> None:
    """Beside the usual median and p99 of the others."""
    slow = html_of(visit(saga_page, id="slow", view="ledger"))
    usual = html_of(visit(saga_page, id="healthy-0", view="ledger"))

    assert slow.count(">longer than usual<") == 1
    assert "healthy order sagas" in slow
    assert ">longer than usual<" not in usual


@pytest.mark.usefixtures("client")
def test_a_saga_against_the_healthy_median() -> None:
    """The sentence of the model, a chart of what differs, a table of all."""
    page = visit(saga_page, id="slow", view="compare")
    html = html_of(page)

    assert "14.0 s more waiting in <code>billing.commands</code>" in html
    assert "the healthy median" in html
    assert "<td>reserve-inventory</td>" in html
    [figure] = charts_of(page)
    assert "billing.commands · queue" in figure["layout"]["yaxis"]["ticktext"]


@pytest.mark.usefixtures("client")
def test_two_sagas_that_the_url_names_are_compared() -> None:
    """Both stand on top, with a link and their state."""
    page = visit(compare_page, a="slow", b="retried_and_compensated")
    html = html_of(page)

    assert [box.value for box in page.text_input] == ["slow", "retried_and_compensated"]
    assert 'href="saga?id=slow"' in html
    assert 'href="saga?id=retried_and_compensated"' in html
    assert "partially compensated" in html
    assert len(charts_of(page)) == 1


@pytest.mark.usefixtures("client")
def test_without_a_second_saga_it_is_the_median() -> None:
    """And a saga compared with its like is said to be alike."""
    assert "the healthy median" in html_of(visit(compare_page, a="slow"))
    alike = visit(compare_page, a="healthy-0", b="healthy-1")
    assert "All is alike" in html_of(alike)
    assert not charts_of(alike)


@pytest.mark.usefixtures("client")
def test_sagas_that_nobody_knows_are_named() -> None:
    """Each of them; without any id the page says what it needs."""
    both = visit(compare_page, a="no*such*one", b="none")
    nothing = visit(compare_page)

    said = [warning.value for warning in both.warning]
    assert any("no\\*such\\*one" in each for each in said)
    assert any("none" in each for each in said)
    assert "Give the id of a saga" in nothing.info[0].value


@pytest.mark.usefixtures("client")
def test_a_saga_without_its_like_has_no_median() -> None:
    """It is said, and nothing is made up."""
    page = visit(compare_page, a="unnamed")

    assert "No other saga of its name has completed yet" in page.info[0].value


@pytest.mark.usefixtures("client")
def test_a_section_that_is_none_is_the_first() -> None:
    """Whatever the URL says."""
    page = visit(saga_page, id="slow", view="nonsense")

    assert not page.exception
    assert page.button_group[0].value is not None


def test_a_source_that_is_down_is_said_and_can_be_tried_again() -> None:
    """No stack trace on the page that compares either."""
    with collector() as gone:
        pass
    with exploring(gone):
        page = visit(compare_page, a="x", b="y")

    assert len(page.error) == 1
    assert [button.label for button in page.button] == ["Try again"]
