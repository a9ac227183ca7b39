"""Axes of time since a saga's start, in one fitting unit, so that they stay right when zoomed."""

from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit of time: `ns` nanoseconds, `suffix` after a number."""

    ns: int
    suffix: str


_UNITS: Final = (
    (172_800, Unit(86_400 * 10**9, " d")),
    (7_200, Unit(3_600 * 10**9, " h")),
    (120, Unit(60 * 10**9, " m")),
    (1, Unit(10**9, " s")),
    (0.001, Unit(10**6, " ms")),
)
"""From how many seconds on, and the unit then."""


def unit(total_ns: float) -> Unit:
    """The unit for an axis as long as this: ``ms`` under a second, ``m`` from 2 minutes on."""
    fits = (found for least_s, found in _UNITS if total_ns >= least_s * 1e9)
    return next(fits, Unit(10**3, " µs"))
