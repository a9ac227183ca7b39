"""Charts of the pages that show the system: quantiles, counts by kind, backlog."""

from math import log10

import pytest

from otel_kit.errors import ErrorClass
from otel_kit.explorer.charts import backlog, bars, error_classes, quantiles
from otel_kit.explorer.charts.palette import DARK, LIGHT, Palette, mixed
from otel_kit.explorer.model.backlog import Pace, Reading
from otel_kit.records import Quantiles

S = 10**9
_COLOURS = {"duration": "#000000", "in the queue": "#ffffff"}


def test_quantiles_are_dots_on_a_line() -> None:
    """One line for each measurement of each row, named once, and facts where one points."""
    rows = [
        quantiles.Row("a → b", {"duration": Quantiles(0.001, 0.01, 0.1)}),
        quantiles.Row(
            "a → c", {"duration": Quantiles(0.2, 0.3), "in the queue": Quantiles(1, 2, 3)}
        ),
        quantiles.Row("a → d", {"duration": Quantiles()}),
    ]
    made = quantiles.dots(rows, _COLOURS, LIGHT)
    duration, queue = made.data

    assert duration.x == (0.001, 0.01, 0.1, None, 0.2, 0.3, None)
    assert queue.x == (1, 2, 3, None)
    assert made.layout.yaxis.ticktext == ("a → b", "a → c")
    assert "duration: p50 200 ms · p95 300 ms" in duration.text[4]
    assert "p99" not in duration.text[4]


def test_the_axis_has_whole_tens_around_all_dots() -> None:
    """Also where a quantile is zero, which has no logarithm."""
    made = quantiles.dots(
        [quantiles.Row("a", {"duration": Quantiles(0.0, 0.02, 0.7)})], _COLOURS, LIGHT
    )
    low, high = made.layout.xaxis.range
    [dots] = made.data

    assert made.layout.xaxis.ticktext[-1] == "1.0 s"
    assert all(low <= log10(x) <= high for x in dots.x if x is not None)


def test_nothing_measured_is_an_empty_chart() -> None:
    """No row, no dots, no failure."""
    assert quantiles.dots([], _COLOURS, DARK).data == ()
    assert bars.stacked([], {}, DARK).data == ()
    assert backlog.lines([], DARK).data == ()


def test_counts_are_stacked_by_kind() -> None:
    """The first row on top; kinds that do not occur take no place in the legend."""
    rows = [("<a>", {"timeout": 3, "dns": 1}), ("b", {"timeout": 2})]
    made = bars.stacked(rows, {"timeout": "#111111", "dns": "#222222", "tls": "#333333"}, LIGHT)

    assert [(bar.name, bar.x) for bar in made.data] == [("timeout", (3, 2)), ("dns", (1, 0))]
    assert made.layout.yaxis.range[0] > made.layout.yaxis.range[1]
    assert made.data[0].customdata[0] == "<b>&lt;a&gt;</b><br>timeout: 3 (75 %)"


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_every_error_class_has_a_colour_of_its_own(palette: Palette) -> None:
    """Nor is one that of the page."""
    found = error_classes.colours(palette)

    assert set(found) == set(ErrorClass)
    assert len({*found.values(), palette.page}) == len(ErrorClass) + 1


def test_a_backlog_has_its_forecast() -> None:
    """Dotted from the last reading to empty; a queue that grows has none."""
    readings = [Reading(0, 30, 0), Reading(10 * S, 20, 10)]
    made = backlog.lines(
        [("drains", readings, Pace(-1.0, 20.0, 10)), ("grows", readings, Pace(1.0, None, 10))],
        LIGHT,
    )
    drains, forecast, grows = made.data

    assert (drains.y, grows.y) == ((30, 20), (30, 20))
    assert forecast.y == (20, 0)
    assert (forecast.x[1] - forecast.x[0]).total_seconds() == 20
    assert forecast.line.dash == "dot"


def test_a_far_forecast_ends_within_sight() -> None:
    """Ten minutes ahead, with what is left then."""
    made = backlog.lines([("q", [Reading(0, 7_200, 0)], Pace(-1.0, 7_200.0, 10))], LIGHT)

    assert made.data[1].y == (7_200, 6_600)


def test_colours_are_mixed() -> None:
    """From one to the other."""
    assert [mixed("#000000", "#ff8000", part) for part in (0, 0.5, 1)] == [
        "#000000", "#804000", "#ff8000"
    ]  # fmt: skip
