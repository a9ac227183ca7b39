"""How much of each part a load takes: ``python -m collector.sizing --spans 100000``.

What one span costs was measured on the demo's spans, on one machine with two shared cores (see
docs/scaling.md): take your own numbers when you have them.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DAY_S: Final = 86_400
BUSY: Final = 0.5  # of a core; the rest is for peaks, and for reading up after an outage


@dataclass(frozen=True)
class Cost:
    """Of one span, in bytes and in seconds of one core."""

    otlp_bytes: float = 320
    kafka_bytes: float = 70  # zstd
    jaeger_bytes: float = 660  # Badger; of a span that is kept
    undecided_bytes: float = 1_800  # a sampler's memory
    agent_s: float = 35e-6
    gateway_s: float = 10e-6
    sampler_s: float = 15e-6
    kept_s: float = 85e-6  # a sampler's, to send it on
    jaeger_s: float = 60e-6


@dataclass(frozen=True)
class Load:
    """What comes, and what is asked for; rates a second, shares from 0 to 1."""

    spans: float
    kept: float = 0.1
    decision_wait_s: float = 30
    retention_h: float = 6  # of Kafka's topics
    kafka_replicas: int = 3
    store_copies: int = 2
    groups: int = 2  # of samplers


@dataclass(frozen=True)
class Size:
    """What it takes, over all machines; bytes, and cores that are half busy."""

    kafka_in: float  # a second, from the gateways
    kafka_disk: float
    partitions: int
    gateway_cores: int
    sampler_cores: int
    sampler_memory: float
    jaeger_cores: int
    jaeger_disk: float  # a day


def size(load: Load, cost: Cost = Cost()) -> Size:
    """The arithmetic of docs/scaling.md."""
    sampling = cost.sampler_s + load.kept * cost.kept_s
    group_cores = _cores(load.spans * sampling)
    kept = load.spans * load.kept
    kafka = load.spans * cost.kafka_bytes
    return Size(
        kafka_in=kafka,
        kafka_disk=kafka * load.retention_h * 3600 * load.kafka_replicas,
        partitions=partitions(group_cores),
        gateway_cores=_cores(load.spans * cost.gateway_s),
        sampler_cores=group_cores * load.groups,
        sampler_memory=load.spans * load.decision_wait_s * cost.undecided_bytes * load.groups,
        jaeger_cores=_cores(kept * cost.jaeger_s * load.groups),
        jaeger_disk=kept * DAY_S * cost.jaeger_bytes * load.store_copies * load.groups,
    )


def partitions(group_cores: int) -> int:
    """Four for each core of a group, so that it can grow fourfold; a power of two, at least 16."""
    return max(16, 1 << (4 * group_cores - 1).bit_length())


def amount(count: float) -> str:
    """In the unit that fits, with two digits: ``1.8 TB``."""
    rounded = float(f"{count:.2g}")
    unit = min(int(math.log10(max(rounded, 1)) // 3), 5)
    return f"{rounded / 1000**unit:g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[unit]}"


def table(loads: Sequence[Load]) -> str:
    """A row of Markdown for each load."""
    head = (
        "| spans/s | kept | into Kafka | Kafka: disk | partitions | gateways: cores "
        "| samplers: cores, memory | Jaeger: cores, disk a day |\n" + "|---" * 8 + "|\n"
    )
    return head + "".join(_row(load, size(load)) for load in loads)


def _row(load: Load, takes: Size) -> str:
    cells = (
        f"{load.spans:,.0f}",
        f"{load.kept:.0%}",
        f"{amount(takes.kafka_in)}/s",
        amount(takes.kafka_disk),
        f"{takes.partitions}",
        f"{takes.gateway_cores}",
        f"{takes.sampler_cores}, {amount(takes.sampler_memory)}",
        f"{takes.jaeger_cores}, {amount(takes.jaeger_disk)}",
    )
    return f"| {' | '.join(cells)} |\n"


def _cores(busy: float) -> int:
    return max(1, math.ceil(round(busy / BUSY, 6)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table's row for a load."""
    parser = argparse.ArgumentParser(prog="python -m collector.sizing", description=__doc__)
    parser.add_argument("--spans", type=float, required=True, help="a second")
    parser.add_argument("--kept", type=float, default=10, metavar="PERCENT", help="(10)")
    parser.add_argument("--decision-wait", type=float, default=30, metavar="S", help="(30)")
    parser.add_argument("--groups", type=int, default=2, help="of samplers (2)")
    given = parser.parse_args(arguments)
    load = Load(
        spans=given.spans,
        kept=given.kept / 100,
        decision_wait_s=given.decision_wait,
        groups=given.groups,
    )
    print(table([load]), end="")  # noqa: T201


if __name__ == "__main__":
    main()
