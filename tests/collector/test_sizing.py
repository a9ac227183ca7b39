"""The arithmetic of docs/scaling.md."""

import pytest

from collector.sizing import Cost, Load, amount, main, partitions, size

_COST = Cost(
    kafka_bytes=100, jaeger_bytes=500, undecided_bytes=2_000,
    gateway_s=10e-6, sampler_s=20e-6, kept_s=100e-6, jaeger_s=50e-6,
)  # fmt: skip


def test_every_part_is_sized_by_the_load_and_the_cost_of_a_span() -> None:
    """Worked out by hand for 100 000 spans a second, of which a fifth is kept."""
    load = Load(
        spans=100_000, kept=0.2, decision_wait_s=10, retention_h=1, kafka_replicas=3,
        store_copies=2, groups=2,
    )  # fmt: skip

    takes = size(load, _COST)

    assert takes.kafka_in == 10e6  # 100 000 × 100 B
    assert takes.kafka_disk == 108e9  # × 3600 s × 3
    assert takes.gateway_cores == 2  # 1 s of work a second, half busy
    assert takes.sampler_cores == 16  # 2 groups × 100 000 × (20 + 0.2 × 100) µs ÷ 0.5
    assert takes.partitions == 32  # 4 × 8 cores of a group
    assert takes.sampler_memory == 4e9  # 100 000 × 10 s × 2 kB × 2 groups
    assert takes.jaeger_cores == 4  # 2 × 20 000 × 50 µs ÷ 0.5
    assert takes.jaeger_disk == pytest.approx(3.456e12)  # 20 000 × 86 400 s × 500 B × 2 × 2


@pytest.mark.parametrize("cores", [1, 3, 4, 5, 64, 470])
def test_there_are_partitions_for_a_group_that_grows_fourfold(cores: int) -> None:
    """A power of two, so that samplers of like numbers share them evenly."""
    count = partitions(cores)

    assert count >= max(16, 4 * cores)
    assert count.bit_count() == 1


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "1 kB"), (70_000, "70 kB"), (1.86e12, "1.9 TB"), (2.3e16, "23 PB")],
)
def test_an_amount_has_two_digits_and_the_unit_that_fits(count: float, text: str) -> None:
    """Decimal units, as disks and networks are sold."""
    assert amount(count) == text


def test_the_command_prints_a_row_for_a_load(capsys: pytest.CaptureFixture[str]) -> None:
    """As in the table of docs/scaling.md."""
    main(["--spans", "5000", "--kept", "100", "--groups", "1"])

    assert "| 5,000 | 100% | 350 kB/s |" in capsys.readouterr().out
