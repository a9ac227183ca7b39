"""Ticks of an axis of time since a saga's start, in units a person counts in."""

from typing import Final

_STEPS_MS: Final = (
    *(digit * 10.0**power for power in range(-6, 4) for digit in (1, 2, 5)),
    *(1000.0 * s for s in (10, 15, 30, 60, 120, 300, 600, 900, 1800)),
    *(3_600_000.0 * h for h in (1, 2, 3, 6, 12, 24, 48, 120, 240, 480, 1200)),
)
_FAR: Final = 2000
"""From so many steps after the start on, ticks are counted from the first one."""


def ticks(from_ms: float, to_ms: float, most: int = 10) -> tuple[list[float], list[str]]:
    """Where between two times, milliseconds since the start, ticks stand, and what they say."""
    length = to_ms - from_ms
    step = next((each for each in _STEPS_MS if length / each <= most), length / most)
    first = -(-from_ms // step)
    places = [step * (first + number) for number in range(int((to_ms - first * step) // step) + 1)]
    if first <= _FAR:
        return places, [clock(place, step) for place in places]
    return places, [
        f"+{clock(place - places[0], step)}" if number else clock(place, step)
        for number, place in enumerate(places)
    ]


def clock(ms: float, step_ms: float) -> str:
    """``0``, ``250 µs``, ``1.5 s``, ``2 m 30 s``, ``1 d 6 h``: rounded to `step_ms`."""
    steps = round(abs(ms) / step_ms)
    if not steps:
        return "0"
    sign, rest = ("−" if ms < 0 else ""), steps * step_ms
    if rest < 60_000:
        return sign + _short(rest, step_ms)
    parts = []
    for name, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        many = int((rest + step_ms / 1e6) // size)
        rest -= many * size
        if many:
            parts.append(f"{many} {name}")
    if rest >= step_ms / 2:
        parts.append(_in(1000.0, rest, step_ms) + " s")
    return sign + " ".join(parts)


def exact(ns: int) -> str:
    """A duration or a time since the start, to four digits."""
    step_ms = 0.001
    while abs(ns) / 1e6 / step_ms >= 10_000:
        step_ms *= 10
    return clock(ns / 1e6, step_ms)


def _short(ms: float, step_ms: float) -> str:
    name, size = next(
        (unit for unit in (("s", 1000.0), ("ms", 1.0)) if ms >= unit[1] * 0.9999), ("µs", 0.001)
    )
    return f"{_in(size, ms, step_ms)} {name}"


def _in(size: float, ms: float, step_ms: float) -> str:
    digits = next((n for n in range(7) if step_ms / size * 10**n >= 0.9999), 6)
    said = f"{ms / size:.{digits}f}"
    return said.rstrip("0").rstrip(".") if "." in said else said
