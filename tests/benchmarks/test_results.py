"""What a results file says, as figures, tables and a picture."""

from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tests.benchmarks import budget, extras, figures, picture, table
from tests.benchmarks.figures import Results, Spread


def _cell(subject: str, us: list[float], **more: Any) -> dict[str, Any]:
    given = {"subject": subject, "work": "asgi", "ratio": 1.0, "us": us, "spans_per_hop": 1}
    return {**given, "hops": 100, "hops_per_trace": 1, "delivered": 100, **more}


@pytest.fixture
def results() -> Results:
    """Two repetitions; ddtrace lost spans, Sentry could not be installed."""
    cells = [
        _cell("bare", [50, 60], spans_per_hop=0, delivered=0),
        _cell("contrib", [250, 360]),
        _cell("ddtrace", [150, 160], delivered=90),
        _cell("otel_kit", [70, 90]),
        _cell("otel_kit", [60], ratio=0.01),
    ]
    return Results(
        {
            "machine": {"python": "3.11.7", "cores": 2},
            "subjects": ["bare", "contrib", "ddtrace", "sentry", "otel_kit"],
            "cells": cells,
            "missing": [{"subject": "sentry", "work": "*", "reason": "cannot be installed"}],
            "extras": {"bare": {"startup_ms": [300, 290, 320]}},
        }
    )


def test_added_cost_is_paired_within_a_repetition(results: Results) -> None:
    """A machine that was slow for a while was so for both."""
    assert results.added("contrib", "asgi", 1.0) == [200, 300]
    assert results.share("otel_kit", "asgi", 1.0) == [0.1, 0.1]


def test_the_bare_application_is_the_same_at_any_sampling(results: Results) -> None:
    """It is measured once a repetition."""
    assert results.added("otel_kit", "asgi", 0.01) == [10]


def test_what_was_not_measured_adds_nothing(results: Results) -> None:
    """It is empty, not zero."""
    assert results.added("sentry", "asgi", 1.0) == []
    assert results.share("sentry", "asgi", 1.0) == []
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_the_table_marks_what_is_lost_and_says_what_is_missing(results: Results) -> None:
    """No cell is silently empty."""
    console = Console(width=200)
    with console.capture() as captured:
        for each in table.tables(results):
            console.print(each)
    text = captured.get()

    assert "+250 µs (1.00, 1.00–1.00)" in text
    assert "+25 µs (0.10, 0.10–0.10)" in text
    assert "LOST 10 of 100 at 100%" in text
    assert "cannot be installed" in text
    assert "300, 290–320" in text


def _lost(delivered: int, *, traces: int = 3000, hops_per_trace: int = 1) -> int:
    """At 1 %, of hops of two spans each."""
    sampled = {"ratio": 0.01, "hops": traces * hops_per_trace, "delivered": delivered}
    more = {"spans_per_hop": 2, "hops_per_trace": hops_per_trace}
    results = Results({"cells": [_cell("x", [1], **more), _cell("x", [1], **more | sampled)]})
    return results.lost("x", "asgi", 0.01)


def test_few_sampled_traces_are_an_accident_and_very_few_a_loss() -> None:
    """Of 3000 traces at 1 %, 30 are expected and 11 are possible; 10 and less are not."""
    assert [_lost(2 * traces) for traces in (40, 30, 11)] == [0, 0, 0]
    assert _lost(2 * 10) == 2 * (30 - 10)
    assert _lost(0) == 60


def test_nothing_at_all_is_no_loss_where_few_were_to_come() -> None:
    """Sentry throws its dice once for fifty client calls: of 60 such traces none may be sampled."""
    assert _lost(0, traces=60, hops_per_trace=50) == 0


def test_where_nothing_is_sampled_nothing_is_lost() -> None:
    """Nor where more arrives than was asked for."""
    cells = [_cell("x", [1]), _cell("x", [1], ratio=0.0, delivered=7)]
    results = Results({"cells": cells})

    assert [results.lost("x", "asgi", ratio) for ratio in (0.0, 0.01)] == [0, 0]


def test_the_tail_of_the_binomial_distribution_sums_up_to_one() -> None:
    """And a half of it lies below its middle."""
    assert figures.chance(5, 5, 0.3) == pytest.approx(1)
    assert figures.chance(1, 3, 0.5) == pytest.approx(0.5)


def test_the_budget_has_a_verdict_where_both_sides_were_measured(results: Results) -> None:
    """The server hop is a tenth of contrib's, but a quarter of ddtrace's, and half at 1 %."""
    found = {(each.target.of, each.target.ratio): each for each in budget.verdicts(results)}

    assert found["contrib", 1.0].met
    assert found["ddtrace", 1.0].shares == [0.2, 0.3]
    assert found["ddtrace", 1.0].met is False
    assert found["otel_kit", 0.01].met


def test_a_budget_that_was_not_measured_is_neither_met_nor_missed() -> None:
    """Without contrib in the run, nobody knows."""
    results = Results({"cells": [_cell("bare", [50]), _cell("otel_kit", [70])]})

    assert {each.met for each in budget.verdicts(results)} == {None}


def test_the_picture_has_a_bar_or_a_reason_for_each_subject(results: Results) -> None:
    """It is XML, whatever the reasons contain."""
    root = ElementTree.fromstring(picture.svg(results))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]

    assert len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) == 3
    assert "cannot be installed" in texts
    assert "250" in texts


def test_a_quantile_is_one_of_the_values() -> None:
    """Of a hundred, the 99th."""
    values = [float(value) for value in range(100, 0, -1)]

    assert extras.quantile(values, 0.5) == 50
    assert extras.quantile(values, 0.99) == 99
    assert extras.quantile([7.0], 0.99) == 7
