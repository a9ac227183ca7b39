"""OTLP metric names, units and attributes as Prometheus spells them; pure.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from otel_kit.embedded.metrics import series
from otel_kit.embedded.metrics.series import SeriesKey

_UNITS: Final = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds",
    "us": "microseconds", "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes",
    "MiBy": "mebibytes", "GiBy": "gibibytes", "TiBy": "tibibytes", "KBy": "kilobytes",
    "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes", "m": "meters", "V": "volts",
    "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius", "Hz": "hertz",
    "%": "percent",
}  # fmt: skip
_PER: Final = {
    "s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week",
    "mo": "month", "y": "year",
}  # fmt: skip
_RESERVED: Final = frozenset({"job", "instance", "le", "quantile", "otel_scope_name"})


@lru_cache(maxsize=4096)
def family_name(name: str, unit: str, type_: str) -> str:
    """The family's name without ``_total``; ends with the unit's word."""
    words = [word for word in re.split(r"[^a-zA-Z0-9:]+", name) if word]
    if type_ == series.COUNTER:
        words = [word for word in words if word != "total"]
    for word in unit_words(unit, type_).split("_"):
        if word and word not in words:
            words.append(word)
    joined = "_".join(words) or "unnamed"
    return f"_{joined}" if joined[0].isdigit() else joined


def unit_words(unit: str, type_: str) -> str:
    """``s`` is ``seconds``, ``By/s`` is ``bytes_per_second``, ``{message}`` is nothing."""
    if unit == "1":
        return "ratio" if type_ == series.GAUGE else ""
    top, _, bottom = re.sub(r"\{[^}]*\}", "", unit).partition("/")
    word = _UNITS.get(top, _plain(top))
    per = _PER.get(bottom, _plain(bottom))
    return f"{word}_per_{per}".strip("_") if per else word


def _plain(text: str) -> str:
    return "_".join(re.findall(r"[a-zA-Z0-9]+", text))


@lru_cache(maxsize=16384)
def label_name(name: str) -> str:
    """A legal label name that does not take the place of one of ours."""
    legal = re.sub(r"_{2,}", "_", re.sub(r"[^a-zA-Z0-9_]", "_", name)) or "_"
    if legal[0].isdigit():
        legal = f"key_{legal}"
    return f"exported_{legal}" if legal in _RESERVED else legal


def labels(key: SeriesKey) -> dict[str, str]:
    """All labels of a series; attributes that come out alike are joined by ``;``."""
    result = {"job": key.service}
    if key.instance:
        result["instance"] = key.instance
    if key.scope:
        result["otel_scope_name"] = key.scope
    own: dict[str, list[str]] = {}
    for name, value in key.attributes:
        own.setdefault(label_name(name), []).append(value)
    return result | {name: ";".join(values) for name, values in own.items()}


def render_labels(pairs: Iterable[tuple[str, str]]) -> str:
    """``{a="b"}``, or nothing for no labels."""
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in pairs)
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
