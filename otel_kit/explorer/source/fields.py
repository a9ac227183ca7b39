"""Typed values out of JSON that anyone may have sent; what does not fit raises `Unfit`."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from otel_kit.explorer.source.problems import BadAnswer

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]
_MAX_TIME_NS = 2**63 - 1


class Unfit(ValueError):
    """A value is not of the type that the API promises."""


def reading(url: str, read: Callable[[], T]) -> T:
    """What `read` returns; raises BadAnswer where it finds something unfit."""
    try:
        return read()
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise BadAnswer(url, str(error)[:200] or type(error).__name__) from error


def objects(value: object, what: str) -> list[Json]:
    """A list of objects; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unfit(f"{what} is no list of objects")
    return value


def mapping(value: object, what: str) -> Json:
    """An object; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit(f"{what} is no object")
    return value


def texts(value: object, what: str) -> list[str]:
    """A list of texts; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unfit(f"{what} is no list of texts")
    return value


def text(row: Json, name: str) -> str:
    """A text; empty when absent or null."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unfit(f"{name} is no text")
    return value


def whole(row: Json, name: str) -> int:
    """A whole number of at most 63 bits, also written as text or as 3.0; 0 when absent."""
    value = row.get(name) or 0
    if isinstance(value, str) and len(value) <= 20 and value.removeprefix("-").isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_TIME_NS:
        raise Unfit(f"{name} is no whole number")
    return value


def real(row: Json, name: str) -> float | None:
    """A finite number, None when absent or null."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unfit(f"{name} is no number")
    return float(value)


def nanoseconds(row: Json, name: str) -> int | None:
    """Seconds since the epoch as nanoseconds, None when absent or null.

    To the microsecond: a float of seconds is no more exact than that.
    """
    seconds = real(row, name)
    if seconds is None:
        return None
    if abs(seconds) > _MAX_TIME_NS / 1e9:
        raise Unfit(f"{name} is no time")
    return round(seconds * 1e6) * 1000
