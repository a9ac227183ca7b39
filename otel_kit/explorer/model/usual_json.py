"""What is usual, as JSON: a bundle carries it, for the sagas it was learned from stay behind."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from otel_kit.explorer.model.quantiles import Spread
from otel_kit.explorer.model.usual import Next, Usual

T = TypeVar("T")


def write(usual: Usual | None) -> dict[str, Any] | None:
    """The fields of `Usual`, by name."""
    return None if usual is None else asdict(usual)


def read(document: Any) -> Usual | None:
    """The other way round; raises LookupError, TypeError or ValueError if it is none."""
    if document is None:
        return None
    return Usual(
        sagas=int(document["sagas"]),
        durations=_by_name(document["durations"], _spread),
        queues=_by_name(document["queues"], _spread),
        consumers=_by_name(document["consumers"], str),
        services=_by_name(document["services"], str),
        following=_by_name(document["following"], _nexts),
        total=None if document["total"] is None else _spread(document["total"]),
    )


def _by_name(document: Any, read_one: Callable[[Any], T]) -> dict[str, T]:
    if not isinstance(document, Mapping):
        raise TypeError("what is usual must be given by name")
    return {name: read_one(value) for name, value in document.items()}


def _nexts(rows: Any) -> tuple[Next, ...]:
    return tuple(Next(str(row["step"]), float(row["share"]), _spread(row["wait"])) for row in rows)


def _spread(row: Any) -> Spread:
    seconds = (float(row[name]) for name in ("p50_s", "p95_s", "p99_s"))
    return Spread(int(row["count"]), *seconds)
