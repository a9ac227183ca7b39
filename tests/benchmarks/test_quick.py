"""How `make bench-quick` counts and what it complains of."""

import re

import pytest

from tests.benchmarks import counting, quick
from tests.benchmarks.programs import Failed


def test_a_hop_is_counted_in_spans_of_the_sdk() -> None:
    """What it adds to the bare one, over the span measured in the same run."""
    costs = {("bare", "sdk_span", 1.0): 40.0}
    for work in ("asgi", "httpx", "grpc_aio", "kafka_produce", "kafka_consume"):
        costs["bare", work, 1.0] = 50.0
        costs["otel_kit", work, 1.0] = costs["otel_kit", work, 0.01] = 110.0

    assert set(quick.ratios(costs).values()) == {1.5}


def test_a_hop_that_was_not_measured_has_no_ratio() -> None:
    """gRPC by CPU time is too unsteady to judge."""
    costs = {("bare", "sdk_span", 1.0): 40.0}
    costs |= {("bare", "httpx", 1.0): 50.0, ("otel_kit", "httpx", 1.0): 110.0}

    assert quick.ratios(costs) == {"httpx client": 1.5}


def test_a_hop_that_became_dearer_is_told_with_both_figures_and_what_to_do() -> None:
    """More than three tenths over what is recorded; less is let pass."""
    measured = {"ASGI server": 1.31, "httpx client": 1.29}

    [line] = quick.too_dear(measured, {"ASGI server": 1.0, "httpx client": 1.0})
    assert re.search(r"ASGI server .*1\.31 .*1\.00.*make bench-quick ARGS=--record", line)


def test_a_hop_that_is_not_recorded_is_told() -> None:
    """It would never be found to be too dear."""
    [line] = quick.too_dear({"Kafka produce": 1.0}, {})

    assert line.startswith("NOT RECORDED: Kafka produce")


def test_valgrind_tells_the_count_of_a_process_and_of_its_child() -> None:
    """The child, which ends first, tells where the hops began."""
    said = "==8== I   refs:      7,000,123\n==7== warning\n==7== I refs: 1,007,000,123\n"

    assert counting.counts(said, counting.INSTRUCTIONS) == [7_000_123, 1_007_000_123]


def test_perf_tells_a_count_or_that_it_has_no_counter() -> None:
    """A virtual machine often has none."""
    assert counting.counts("5021,,instructions:u,98,100.00,,\n", counting.PERF_SAYS) == [5021]
    with pytest.raises(Failed, match="not supported"):
        counting.counts("<not supported>,,instructions:u,0,100.00,,\n", counting.PERF_SAYS)
