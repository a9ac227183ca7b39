"""The metrics of a hop: measured in the process, and exact whatever the trace sampling.

A hop is measured once, by its full set of labels; `series` says in which metrics it counts.  Two
implementations keep the figures: `Cells` for providers that the kit has made, `Instruments` for
those of the application.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from otel_kit.hops.hop import Convention

SIDES: Mapping[SpanKind, str] = {
    SpanKind.CLIENT: "client",
    SpanKind.SERVER: "server",
    SpanKind.PRODUCER: "producer",
    SpanKind.CONSUMER: "consumer",
}
DURATION_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0),
)
"""Seconds.  The conventions' buckets, finer below 5 ms and on to a minute."""
QUEUE_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0),
)
"""Seconds, from 1 ms to 24 h: a message may wait for a night."""


class Edge(NamedTuple):
    """The kit's own labels of one hop."""

    client: str
    server: str
    transport: str
    side: str
    operation: str
    error_class: str | None = None
    """None: it succeeded."""
    alone: bool = False
    """This is the sending side, and nobody at the other one will count the hop."""
    result: str | None = None
    """What became of the context of an inbound hop."""
    destination: str = ""
    """Of an inbound hop."""


class Conventional(NamedTuple):
    """The labels of the same hop under the names of the semantic conventions."""

    convention: Convention
    side: str
    values: tuple[AttributeValue | None, ...]
    """Of `convention.labels`; None: not known."""
    error_type: str | None


class Wait(NamedTuple):
    """The labels of one message's dwell."""

    client: str
    server: str
    transport: str
    destination: str
    group: str
    skewed: bool
    """It seems to have arrived before it was sent."""


class Edges(Protocol):
    """Keeps the figures of hops."""

    def hop(
        self, seconds: float, edge: Edge | None, said: Conventional | None, messages: int,
        context: Context,
    ) -> None:  # fmt: skip
        """One hop of that many `messages`, which are what the conventions count.

        Without `edge` it counts under the conventions' names only, without `said` under ours.
        """

    def waited(self, seconds: float, wait: Wait, context: Context) -> None:
        """The dwell of one message, at least 0."""
