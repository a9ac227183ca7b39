"""How the value of a setting is read: one small parser per kind of value.

A parser takes text from the environment or a value given in code, returns the value a
setting holds, and raises ``ValueError`` when the value is not allowed.  What is allowed is
said in words by ``allowed``, so that an error message can tell the reader what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

MAX_LENGTH = 65_536
"""Characters of one setting; nothing sensible is longer."""


@dataclass(frozen=True, slots=True)
class Value:
    """One kind of value: how it is read, and what is allowed, in words."""

    allowed: str
    parse: Callable[[Any], Any]

    def read(self, raw: object) -> Any:
        """The value `raw` stands for; raises ``ValueError`` when it is not allowed."""
        if isinstance(raw, str):
            if len(raw) > MAX_LENGTH:
                raise ValueError("too long")
            raw = raw.strip()
        try:
            return self.parse(raw)
        except (TypeError, AttributeError) as error:
            raise ValueError(str(error)) from error


def _members(raw: str | Iterable[str]) -> list[str]:
    parts = raw.split(",") if isinstance(raw, str) else [str(part) for part in raw]
    return [part.strip() for part in parts if part.strip()]


def _text(raw: str) -> str:
    if not isinstance(raw, str) or not raw:
        raise ValueError("empty")
    return raw


def _boolean(raw: str | bool) -> bool:
    return raw if isinstance(raw, bool) else {"true": True, "false": False}[raw.lower()]


TEXT = Value("any text", _text)
NAMES = Value("names separated by commas", lambda raw: tuple(_members(raw)))


def _flag(raw: str | bool) -> bool:
    try:
        return _boolean(raw)
    except KeyError as error:
        raise ValueError("neither") from error


FLAG = Value("true or false", _flag)


def one_of(*names: str) -> Value:
    """One word of a list, in any case."""

    def parse(raw: str) -> str:
        if raw.lower() not in names:
            raise ValueError("unknown")
        return raw.lower()

    return Value(" or ".join(names) if len(names) < 3 else "one of " + ", ".join(names), parse)


def some_of(*names: str) -> Value:
    """Some words of a list separated by commas; ``none`` stands alone and means an empty list."""

    def parse(raw: str | Iterable[str]) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(name.lower() for name in _members(raw)))
        if chosen == ("none",):
            return ()
        if not chosen or any(name not in names or name == "none" for name in chosen):
            raise ValueError("unknown")
        return chosen

    return Value(f"one or more of {', '.join(names)}, separated by commas, or none", parse)


def number(low: float = 0, high: float = inf, *, above: bool = False) -> Value:
    """A number within bounds; `above` leaves `low` itself out."""
    words = f"greater than {low:g}" if above else f"of at least {low:g}"
    if high != inf:
        words = f"from {low:g} to {high:g}"

    def parse(raw: str | float) -> float:
        value = float(raw)
        if not isfinite(value) or not low <= value <= high or (above and value == low):
            raise ValueError("out of bounds")
        return value

    return Value(f"a number {words}", parse)


def whole(low: int = 0, high: float = inf) -> Value:
    """A whole number within bounds."""
    words = f"of at least {low}" if high == inf else f"from {low} to {high:g}"

    def parse(raw: str | int) -> int:
        value = int(raw)
        if not low <= value <= high:
            raise ValueError("out of bounds")
        return value

    return Value(f"a whole number {words}", parse)


def _pairs(raw: str | Mapping[str, str]) -> dict[str, str]:
    if isinstance(raw, Mapping):
        return {str(key): str(value) for key, value in raw.items()}
    pairs = {}
    for member in _members(raw):
        key, equals, value = member.partition("=")
        if not equals or not key.strip():
            raise ValueError("no '='")
        pairs[key.strip()] = unquote(value.strip())
    return pairs


PAIRS = Value("key=value pairs separated by commas", _pairs)


def _peers(raw: str | Mapping[str, str]) -> dict[str, str]:
    pairs = _pairs(raw)
    if not all(pairs.values()) or any("/" in host for host in pairs):
        raise ValueError("not a host")
    return {host.lower(): service for host, service in pairs.items()}


PEERS = Value("host=service or host:port=service pairs separated by commas", _peers)


def _url(raw: str) -> str:
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("not a URL")
    return raw


def _target(raw: str) -> str:
    """gRPC also takes ``host:port`` without a scheme."""
    return _url(raw if "://" in raw else f"http://{raw}") and raw


URL = Value("a URL such as http://localhost:4318", _url)
TARGET = Value("a URL such as http://localhost:4317, or host:port", _target)


def _file(raw: str) -> str:
    if not Path(raw).is_file():
        raise ValueError("no such file")
    return raw


FILE = Value("the path of a file that exists", _file)


def _propagators(raw: str | Iterable[str]) -> tuple[str, ...]:
    from importlib.metadata import entry_points

    chosen = tuple(dict.fromkeys(_members(raw)))
    known = {entry.name for entry in entry_points(group="opentelemetry_propagator")}
    if chosen == ("none",):
        return ()
    if not chosen or not known.issuperset(chosen):
        raise ValueError("unknown")
    return chosen


PROPAGATORS = Value("tracecontext, baggage, another installed propagator, or none", _propagators)
