"""The metrics of a hop, recorded in the process and exact whatever the trace sampling."""

from collections.abc import Mapping
from functools import cache

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops.hop import Attributes

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


class Edges:
    """The instruments.  Every label is bounded; a business id is never one."""

    def __init__(self, meter: Meter, *, semconv: bool) -> None:
        self._meter = meter
        self._semconv = semconv
        self._hop = meter.create_histogram(
            names.HOP_DURATION,
            "s",
            "Duration of a hop, per pair of services.",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        self._queue = meter.create_histogram(
            names.QUEUE_DURATION,
            "s",
            "Time a message waited, from send to start of handling.",
            explicit_bucket_boundaries_advisory=QUEUE_BUCKETS,
        )
        self._skew = meter.create_counter(
            names.QUEUE_CLOCK_SKEW,
            "{message}",
            "Messages that seem to arrive before they were sent.",
        )
        self._propagation = meter.create_counter(
            names.PROPAGATION_MESSAGES, "{message}", "Inbound hops by what became of their context."
        )
        self._duration = cache(self._make_duration)
        self._count = cache(self._make_count)

    def hop(self, seconds: float, labels: Attributes, context: Context) -> None:
        """One hop: client, server, transport, side, operation and, if it failed, error_class."""
        self._hop.record(seconds, labels, context)

    def waited(self, seconds: float, labels: Attributes, context: Context) -> float:
        """Dwell of one message, at least 0 where two clocks disagree; returns what it recorded."""
        if seconds < 0:
            self._skew.add(1, labels, context)
            seconds = 0.0
        self._queue.record(seconds, labels, context)
        return seconds

    def arrived(self, result: str, server: str, transport: str, destination: str) -> None:
        """What became of the context of one inbound hop."""
        labels = {names.SERVER: server, names.TRANSPORT: transport}
        labels |= {names.DESTINATION: destination, names.RESULT: result}
        self._propagation.add(1, labels)

    def conventional(
        self, duration: str | None, count: str | None, seconds: float, messages: int,
        labels: Attributes, context: Context,
    ) -> None:  # fmt: skip
        """The same hop under the semantic conventions' names, unless they are switched off."""
        if not self._semconv:
            return
        if duration:
            self._duration(duration).record(seconds, labels, context)
        if count:
            self._count(count).add(messages, labels, context)

    def _make_duration(self, name: str) -> Histogram:
        return self._meter.create_histogram(
            name, "s", explicit_bucket_boundaries_advisory=DURATION_BUCKETS
        )

    def _make_count(self, name: str) -> Counter:
        return self._meter.create_counter(name, "{message}")
