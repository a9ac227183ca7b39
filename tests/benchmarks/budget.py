"""What a hop of the kit may cost at most, as shares of what others add in the same run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.figures import REFERENCE, Results, Spread
from tests.benchmarks.work import WORK

OURS: Final = "otel_kit"


@dataclass(frozen=True)
class Target:
    """`work` at a sampling `ratio` adds at most `limit` × what `of` adds when all is sampled."""

    work: str
    limit: float
    of: str
    ratio: float = 1.0


TARGETS: Final = (
    Target("asgi", 0.10, REFERENCE),
    Target("asgi", 0.20, "ddtrace"),
    Target("httpx", 0.20, REFERENCE),
    Target("grpc_aio", 0.30, REFERENCE),
    Target("kafka_produce", 0.30, REFERENCE),
    Target("kafka_consume", 0.30, REFERENCE),
    *(Target(work, 0.50, OURS, 0.01) for work in WORK),
)


@dataclass(frozen=True)
class Verdict:
    """A target and its figures, one a repetition; none if they were not measured."""

    target: Target
    shares: Sequence[float]

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the limit; None if nobody knows."""
        return Spread.of(self.shares).median <= self.target.limit if self.shares else None


def verdicts(results: Results) -> Iterator[Verdict]:
    """Of every target whose kind of work was measured with the kit."""
    for target in TARGETS:
        if results.cell(OURS, target.work, 1.0) is not None:
            shares = results.share(OURS, target.work, target.ratio, (target.of, 1.0))
            yield Verdict(target, shares)
