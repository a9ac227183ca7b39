"""What the measurements say: added cost and ratios, paired within a repetition, with spread."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

BARE: Final = "bare"
REFERENCE: Final = "contrib"
RATIOS: Final = (1.0, 0.01, 0.0)
"""Shares of traces that are sampled."""


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

    def to_reference(self, subject: str, work: str, ratio: float) -> list[float]:
        """Added cost as a share of the reference's at the same sampling, one a repetition."""
        pairs = zip(
            self.added(subject, work, ratio), self.added(REFERENCE, work, ratio), strict=False
        )
        return [ours / theirs for ours, theirs in pairs if theirs > 0]

    def lost(self, subject: str, work: str) -> int:
        """Spans that did not arrive where all are sampled."""
        cell = self.cell(subject, work, 1.0)
        return 0 if cell is None else max(0, round(cell["expected"] - cell["delivered"]))

    def missing(self, subject: str, work: str) -> str:
        """Why there is no such cell; empty if nobody knows."""
        for each in self.data["missing"]:
            if each["subject"] == subject and each["work"] in (work, "*"):
                return str(each["reason"])
        return ""
