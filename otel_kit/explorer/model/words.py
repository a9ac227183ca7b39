"""Times and counts as a person says them."""

from collections.abc import Sequence


def duration(seconds: float) -> str:
    """``320 µs``, ``45 ms``, ``1.9 s``, ``4 m 10 s``, ``2 h 5 m``, ``3 d 4 h``."""
    if seconds < 0.0009995:
        return f"{max(0.0, seconds) * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return _two_units(round(seconds))


def _two_units(seconds: int) -> str:
    for upper, name, lower, lower_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if seconds >= upper:
            rest = seconds % upper // lower
            return f"{seconds // upper} {name}" + (f" {rest} {lower_name}" if rest else "")
    rest = seconds % 60
    return f"{seconds // 60} m" + (f" {rest} s" if rest else "")


def count(many: float, singular: str, plural: str = "") -> str:
    """``1 message``, ``12 400 messages``."""
    return f"{number(many)} {singular if many == 1 else plural or singular + 's'}"


def number(many: float) -> str:
    """``12 400``."""
    return f"{many:,.0f}".replace(",", " ")


def share(part: float) -> str:
    """``86 %`` for 0.86; ``< 1 %`` for what is not nothing, ``> 99 %`` for what is not all."""
    if 0 < part < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 < part < 1 else f"{part * 100:.0f} %"


def window(seconds: float | None) -> str:
    """``within the last 15 m``; None: ``since the services began``."""
    return f"within the last {duration(seconds)}" if seconds else "since the services began"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
