"""Quantiles of measured seconds."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What `count` measurements, in seconds, were like: interpolated between neighbours."""

    count: int
    p50_s: float
    p95_s: float
    p99_s: float


def spread(seconds: Iterable[float]) -> Spread | None:
    """The spread of the measurements, None if there are none."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return Spread(len(ordered), *(_quantile(ordered, share) for share in (0.5, 0.95, 0.99)))


def _quantile(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
