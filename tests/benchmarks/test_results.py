"""What a results file says, as figures, tables and a picture."""

from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tests.benchmarks import extras, picture, quick, table
from tests.benchmarks.figures import Results, Spread


def _cell(subject: str, us: list[float], **more: Any) -> dict[str, Any]:
    given = {"subject": subject, "work": "asgi", "ratio": 1.0, "us": us}
    return {**given, "spans_per_hop": 1, "expected": 100, "delivered": 100, **more}


@pytest.fixture
def results() -> Results:
    """Two repetitions; ddtrace lost spans, Sentry could not be installed."""
    cells = [
        _cell("bare", [50, 60], spans_per_hop=0, expected=0, delivered=0),
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
            "extras": {"bare": {"startup_ms": 300}},
        }
    )


def test_added_cost_is_paired_within_a_repetition(results: Results) -> None:
    """A machine that was slow for a while was so for both."""
    assert results.added("contrib", "asgi", 1.0) == [200, 300]
    assert results.to_reference("otel_kit", "asgi", 1.0) == [0.1, 0.1]


def test_the_bare_application_is_the_same_at_any_sampling(results: Results) -> None:
    """It is measured once a repetition."""
    assert results.added("otel_kit", "asgi", 0.01) == [10]


def test_what_was_not_measured_adds_nothing(results: Results) -> None:
    """It is empty, not zero."""
    assert results.added("sentry", "asgi", 1.0) == []
    assert results.to_reference("sentry", "asgi", 1.0) == []
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
    assert "LOST 10 of 100" in text
    assert "cannot be installed" in text
    assert "300 ms" in text


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


def test_a_hop_is_counted_in_spans_of_the_sdk() -> None:
    """What it adds to the bare one, over the span measured in the same run."""
    best = {("bare", "sdk_span", 1.0): 40.0}
    for work in ("asgi", "httpx", "kafka_produce", "kafka_consume"):
        best["bare", work, 1.0] = 50.0
        best["otel_kit", work, 1.0] = best["otel_kit", work, 0.01] = 110.0

    assert set(quick.ratios(best).values()) == {1.5}


def test_a_hop_that_became_dearer_is_found() -> None:
    """More than a third over what is recorded; one that is not recorded as well."""
    measured = {"ASGI server": 1.31, "httpx client": 1.29, "Kafka produce": 1.0}

    assert quick.over(measured, {"ASGI server": 1.0, "httpx client": 1.0}) == [
        "ASGI server",
        "Kafka produce",
    ]
