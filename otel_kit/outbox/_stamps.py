"""What stands in the column: headers as a JSON object."""

import json
from collections.abc import Mapping
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from typing import Any, Final

from otel_kit.hops import ActiveHop, outgoing, send

SYSTEM: Final = "outbox"
Stored = str | bytes | bytearray | memoryview | Mapping[str, Any] | None
"""A column's value, as a driver returns it."""
_LENGTH: Final = 65_536
_ENCODINGS: Final = 2
"""Text that was stored in a column of JSON is encoded twice."""


class RolledBack(CancelledError):
    """The row was written by a transaction that was rolled back: nobody will ever relay it."""


def written(
    destination: str, headers: Mapping[str, str] | None = None
) -> tuple[dict[str, str], ActiveHop]:
    """The headers to store, and the hop of their writing, which somebody has to end."""
    carrier = dict(headers or {})
    active = send(outgoing(SYSTEM, destination, carrier=carrier)).aside()
    with active:
        active.defer()
    return carrier, active


def text(carrier: Mapping[str, str]) -> str:
    return json.dumps(carrier, separators=(",", ":"))


def headers_of(stored: object) -> dict[str, str]:
    """The headers in a column's value; none if it holds anything else.  Never raises."""
    try:
        for _ in range(_ENCODINGS):
            if isinstance(stored, memoryview):
                stored = bytes(stored)
            if isinstance(stored, (str, bytes, bytearray)) and len(stored) <= _LENGTH:
                stored = json.loads(stored)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(stored, Mapping):
        return {}
    return {
        name.lower(): value
        for name, value in stored.items()
        if isinstance(name, str) and isinstance(value, str)
    }


def seconds(at: float | datetime | None) -> float | None:
    """Since the epoch."""
    if not isinstance(at, datetime):
        return at
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
