"""What a metric series can hold, how two measurements add up, and quantiles of histograms; pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, TypeAlias

from otel_kit.records import Quantiles

MAX_EXPONENTIAL_BUCKETS: Final = 160
"""Buckets on each side of zero; past it the scale is lowered (the SDK's own limit)."""


@dataclass(frozen=True, slots=True)
class Number:
    """A gauge's or counter's value."""

    value: float

    def plus(self, other: "Number") -> "Number":
        """Add a delta."""
        return Number(self.value + other.value)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts for each bucket up to a bound, the last one unbounded: one more count than bounds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float
    count: int

    def plus(self, other: "Histogram") -> "Histogram":
        """Add up; where bounds differ only those in common stay, whose counts are exact."""
        common = self.bounds
        if self.bounds != other.bounds:
            common = tuple(sorted(set(self.bounds) & set(other.bounds)))
        counts = zip(self._counts_at(common), other._counts_at(common), strict=True)
        added = tuple(mine + theirs for mine, theirs in counts)
        return Histogram(common, added, self.sum + other.sum, self.count + other.count)

    def cumulative(self) -> list[tuple[float, int]]:
        """(upper bound, how many were at or under it), ending with infinity."""
        return list(zip((*self.bounds, math.inf), accumulate(self.counts), strict=True))

    def _counts_at(self, bounds: tuple[float, ...]) -> list[int]:
        if bounds == self.bounds:
            return list(self.counts)
        upto = dict(self.cumulative())
        totals = [upto[bound] for bound in (*bounds, math.inf)]
        return [total - before for total, before in zip(totals, [0, *totals], strict=False)]

    def quantile(self, q: float) -> float | None:
        """Interpolated within the bucket, as Prometheus' histogram_quantile; None when empty."""
        rank, lower, below = q * sum(self.counts), 0.0, 0
        for bound, upto in self.cumulative():
            if upto >= rank and upto > below:
                if math.isinf(bound):
                    return self.bounds[-1] if self.bounds else None
                return lower + (bound - lower) * (rank - below) / (upto - below)
            lower, below = bound, upto
        return None


@dataclass(frozen=True, slots=True)
class Exponential:
    """OTLP's exponential histogram; bucket i of ``positive`` ends at base**(i+1)."""

    scale: int
    zero: int
    positive: Mapping[int, int]
    negative: Mapping[int, int]
    sum: float
    count: int

    def plus(self, other: "Exponential") -> "Exponential":
        """Add up, at the coarser scale of the two or coarser still to stay within the limit."""
        scale = min(self.scale, other.scale)
        mine, theirs = self.at_scale(scale), other.at_scale(scale)
        return Exponential(
            scale,
            mine.zero + theirs.zero,
            _add(mine.positive, theirs.positive),
            _add(mine.negative, theirs.negative),
            mine.sum + theirs.sum,
            mine.count + theirs.count,
        ).bounded()

    def at_scale(self, scale: int) -> "Exponential":
        """The same counts at a lower `scale`: each step down joins two buckets."""
        shift = self.scale - scale
        positive, negative = _shift(self.positive, shift), _shift(self.negative, shift)
        return Exponential(scale, self.zero, positive, negative, self.sum, self.count)

    def bounded(self) -> "Exponential":
        """Within `MAX_EXPONENTIAL_BUCKETS`."""
        result = self
        while max(len(result.positive), len(result.negative)) > MAX_EXPONENTIAL_BUCKETS:
            result = result.at_scale(result.scale - 1)
        return result

    def as_histogram(self) -> Histogram:
        """With explicit bounds."""
        negative = sorted(self.negative.items(), reverse=True)
        bounded = [(-self._bound(index), count) for index, count in negative]
        bounded.append((0.0, self.zero))
        bounded += [
            (self._bound(index + 1), count) for index, count in sorted(self.positive.items())
        ]
        finite: dict[float, int] = {}
        for bound, count in bounded:
            finite[bound] = finite.get(bound, 0) + count
        over = finite.pop(math.inf, 0)
        return Histogram(tuple(finite), (*finite.values(), over), self.sum, self.count)

    def _bound(self, index: int) -> float:
        try:
            return math.pow(2.0, math.ldexp(index, -self.scale))
        except OverflowError:
            return math.inf


@dataclass(frozen=True, slots=True)
class Summary:
    """Quantiles the sender computed: (q, value)."""

    quantiles: tuple[tuple[float, float], ...]
    sum: float
    count: int


Value: TypeAlias = Number | Histogram | Exponential | Summary


def total(histograms: Iterable[Histogram]) -> Histogram | None:
    """All of them added up, None for none."""
    result = None
    for histogram in histograms:
        result = histogram if result is None else result.plus(histogram)
    return result


def as_histogram(value: Value) -> Histogram | None:
    """A histogram with explicit bounds, None for what is no histogram."""
    if isinstance(value, Exponential):
        return value.as_histogram()
    return value if isinstance(value, Histogram) else None


def quantiles(histograms: Iterable[Histogram]) -> Quantiles:
    """The usual three of all of them added up; empty for none."""
    histogram = total(histograms)
    if histogram is None:
        return Quantiles()
    return Quantiles(*(histogram.quantile(q) for q in (0.5, 0.95, 0.99)))


def added(old: Value, new: Value) -> Value:
    """`old` plus the delta `new`; `new` alone where the two cannot be added."""
    match old, new:
        case Number() as a, Number() as b:
            return a.plus(b)
        case Histogram() as c, Histogram() as d:
            return c.plus(d)
        case Exponential() as e, Exponential() as f:
            return e.plus(f)
        case _:
            return new


def _add(mine: Mapping[int, int], theirs: Mapping[int, int]) -> dict[int, int]:
    result = dict(mine)
    for index, count in theirs.items():
        result[index] = result.get(index, 0) + count
    return result


def _shift(buckets: Mapping[int, int], by: int) -> dict[int, int]:
    result: dict[int, int] = {}
    for index, count in buckets.items():
        result[index >> by] = result.get(index >> by, 0) + count
    return result


def to_json(value: Value) -> list[Any]:
    """A form `json` can write; `from_json` reads it back."""
    match value:
        case Number(number):
            return ["number", number]
        case Histogram(bounds, counts, sum_, count):
            return ["histogram", bounds, counts, sum_, count]
        case Exponential(scale, zero, positive, negative, sum_, count):
            sides = [list(positive.items()), list(negative.items())]
            return ["exponential", scale, zero, *sides, sum_, count]
        case Summary(quantiles, sum_, count):
            return ["summary", quantiles, sum_, count]


def from_json(data: list[Any]) -> Value:
    """The reverse of `to_json`."""
    kind, *rest = data
    match kind:
        case "number":
            return Number(*rest)
        case "histogram":
            return Histogram(tuple(rest[0]), tuple(rest[1]), *rest[2:])
        case "exponential":
            return Exponential(rest[0], rest[1], dict(rest[2]), dict(rest[3]), *rest[4:])
        case _:
            return Summary(tuple((q, v) for q, v in rest[0]), *rest[1:])
