"""Spans of hand-made sagas, at seconds after a fixed noon long ago."""

from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.embedded import build

NOON = 1_700_000_000
"""Seconds since the epoch."""


def saga(saga_id: str, start: float = 0, end: float = 1, name: str = "order", **more: Any) -> Span:
    """A span that names the saga, between seconds after noon; `more` are its saga attributes."""
    said = {f"saga.{key.replace('_', '.')}": value for key, value in more.items()}
    return build.span(
        attributes={"saga.id": saga_id, "saga.name": name, **said},
        start_time_unix_nano=at(start),
        end_time_unix_nano=at(end),
    )


def at(seconds: float) -> int:
    """Nanoseconds since the epoch."""
    return NOON * build.SECOND + round(seconds * build.SECOND)
