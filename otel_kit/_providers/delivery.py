"""What a pipeline needs from an exporter: one attempt to deliver a batch, and how it came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item", contravariant=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt came out."""

    delivered: bool
    again: bool = False
    """Not delivered, but the same batch may be on another attempt."""
    wait: float | None = None
    """Seconds the collector asked us to wait before that."""
    rejected: int = 0
    """Items the collector did not take of a batch it accepted (OTLP partial success)."""
    problem: str = ""
    """Why it was not delivered, in a few words."""


DELIVERED = Outcome(delivered=True)


class Delivery(Protocol[Item]):
    """Delivers batches.  `send` is called by one thread at a time and does not raise."""

    target: str
    """Where batches go, for people."""
    survives_fork: bool
    """Whether another one may be made in a forked child."""

    def send(self, batch: Sequence[Item], /) -> Outcome:
        """One attempt; it may take as long as OTEL_EXPORTER_OTLP_TIMEOUT."""
        ...

    def close(self) -> None:
        """Give up what is under way, as far as the transport allows, and let go of resources."""
        ...
