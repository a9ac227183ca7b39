"""What the metrics say around a saga; None for a kind of rows that the source cannot tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from otel_kit.records import BreakerRecord, EdgeRecord, PropagationRecord, QueueRecord


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Edges, queues, breakers and propagation at the time of looking."""

    edges: Sequence[EdgeRecord] | None = None
    queues: Sequence[QueueRecord] | None = None
    breakers: Sequence[BreakerRecord] | None = None
    propagation: Sequence[PropagationRecord] | None = None
