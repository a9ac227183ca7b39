"""What the measurements say: added cost and ratios, paired within a repetition, with spread."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

BARE: Final = "bare"
REFERENCE: Final = "contrib"
RATIOS: Final = (1.0, 0.01, 0.0)
"""Shares of traces that are sampled."""
UNLIKELY: Final = 3e-5
"""Four standard deviations."""


@dataclass(frozen=True)
class Spread:
    """The median of repetitions, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Raises ValueError for no values."""
        if not values:
            raise ValueError("nothing was measured")
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Results:
    """A results file: see `run.py`, which writes it."""

    data: Mapping[str, Any]

    def cell(self, subject: str, work: str, ratio: float) -> Mapping[str, Any] | None:
        """One combination as it was measured; None if it was not.  The bare one samples nothing."""
        ratio = 1.0 if subject == BARE else ratio
        for cell in self.data["cells"]:
            if (cell["subject"], cell["work"], cell["ratio"]) == (subject, work, ratio):
                found: Mapping[str, Any] = cell
                return found
        return None

    def added(self, subject: str, work: str, ratio: float) -> list[float]:
        """µs of CPU a hop over the bare application, one a repetition; empty if unknown."""
        mine, bare = self.cell(subject, work, ratio), self.cell(BARE, work, 1.0)
        if mine is None or bare is None:
            return []
        return [ours - base for ours, base in zip(mine["us"], bare["us"], strict=False)]

    def share(
        self, subject: str, work: str, ratio: float, of: tuple[str, float] | None = None
    ) -> list[float]:
        """Added cost as a share of what (subject, ratio) adds, one a repetition.

        Without `of` it is the reference's at the same sampling.
        """
        other, at = of or (REFERENCE, ratio)
        pairs = zip(self.added(subject, work, ratio), self.added(other, work, at), strict=False)
        return [ours / theirs for ours, theirs in pairs if theirs > 0]

    def expected(self, subject: str, work: str, ratio: float) -> float:
        """Spans that should have arrived, as many a hop as where all are sampled."""
        cell, full = self.cell(subject, work, ratio), self.cell(subject, work, 1.0)
        return ratio * cell["hops"] * full["spans_per_hop"] if cell and full else 0

    def lost(self, subject: str, work: str, ratio: float) -> int:
        """Spans that did not arrive and should have.

        Where all are sampled, every missing one.  Else whether a trace is sampled is a throw of
        dice, and only so few that dice do not explain it count as a loss.
        """
        cell, expected = self.cell(subject, work, ratio), self.expected(subject, work, ratio)
        if not cell or not expected:
            return 0
        lost = max(0, round(expected - cell["delivered"]))
        traces = round(cell["hops"] / cell["hops_per_trace"])
        arrived = math.ceil(cell["delivered"] * ratio * traces / expected)
        return lost if ratio == 1 or chance(arrived, traces, ratio) < UNLIKELY else 0

    def missing(self, subject: str, work: str) -> str:
        """Why there is no such cell; empty if nobody knows."""
        for each in self.data["missing"]:
            if each["subject"] == subject and each["work"] in (work, "*"):
                return str(each["reason"])
        return ""


def chance(most: int, of: int, share: float) -> float:
    """That at most so many traces are sampled: the lower tail of the binomial distribution."""
    return sum(
        math.exp(
            math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
            + k * math.log(share) + (of - k) * math.log1p(-share)
        )
        for k in range(min(most, of) + 1)
    )  # fmt: skip
