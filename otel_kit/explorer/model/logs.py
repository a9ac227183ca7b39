"""Log lines of a saga: in order, filtered, and how severe."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from otel_kit.records import AttributeValue, LogRecord

LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""OpenTelemetry's short names of severity, ascending."""
_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines; what is empty does not restrict.

    `text` is looked for, in any case, in body, event name and attributes.  `least` is one of
    `LEVELS`; lines that do not say how severe they are count as INFO.
    """

    text: str = ""
    services: tuple[str, ...] = ()
    least: str = ""

    def admits(self, line: LogRecord) -> bool:
        """Whether a line fits."""
        return (
            (not self.services or line.service in self.services)
            and (not self.least or _rank(line) >= LEVELS.index(self.least))
            and (not self.text or self.text.casefold() in _all_text(line).casefold())
        )


def by_time(lines: Iterable[LogRecord]) -> list[LogRecord]:
    """The earliest first."""
    return sorted(lines, key=lambda line: line.time_ns)


def matching(lines: Iterable[LogRecord], wanted: Filter) -> list[LogRecord]:
    """Those that fit, in the order given."""
    return [line for line in lines if wanted.admits(line)]


def level(line: LogRecord) -> str:
    """The severity without its number (``ERROR2`` is ``ERROR``), as one of `LEVELS`, else empty.

    ``WARNING`` and ``CRITICAL`` are what Python's own logging says for WARN and FATAL.
    """
    said = line.severity.upper().rstrip("1234")
    said = {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(said, said)
    return said if said in LEVELS else ""


def severities(lines: Iterable[LogRecord]) -> list[str]:
    """The levels that occur, ascending."""
    found = {level(line) for line in lines}
    return [each for each in LEVELS if each in found]


def body(line: LogRecord) -> str:
    """The body as text, bounded."""
    return as_text(line.body)


def as_text(value: AttributeValue) -> str:
    """Any value on one line: text as it stands, all else as JSON; bounded."""
    if isinstance(value, str):
        said = value
    elif isinstance(value, bytes):
        said = value.hex()
    elif value is None:
        said = ""
    else:
        said = json.dumps(value, ensure_ascii=False, default=_plain)
    return said if len(said) <= _MOST else said[: _MOST - 1] + "…"


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)


def _rank(line: LogRecord) -> int:
    return LEVELS.index(level(line) or "INFO")


def _all_text(line: LogRecord) -> str:
    said: Sequence[str] = [f"{key}={as_text(value)}" for key, value in line.attributes.items()]
    return "\n".join([body(line), line.event_name, *said])
