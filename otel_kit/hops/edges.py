"""The metrics of a hop, recorded in the process and exact whatever the trace sampling."""

from collections.abc import Mapping
from functools import cache

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops.graph import ServiceGraph
from otel_kit.hops.hop import Attributes
from otel_kit.hops.labels import Labels

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
    """The instruments.  Every label is bounded; a business id is never one.

    `semconv` and `graph` switch on the metrics under the names of the semantic conventions and of
    Grafana's service graph.  `entry_point`: requests without context are expected here.
    """

    def __init__(
        self, meter: Meter, *, semconv: bool, graph: bool = True, entry_point: bool = False
    ) -> None:
        self._meter = meter
        self._semconv = semconv
        self._entry_point = entry_point
        self._labels = Labels()
        self._graph = (
            ServiceGraph(meter, seconds=DURATION_BUCKETS, waits=QUEUE_BUCKETS) if graph else None
        )
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

    def hop(
        self, seconds: float, labels: Attributes, context: Context, *, alone: bool = False
    ) -> None:
        """One hop: client, server, transport, side, operation and, if it failed, error_class.

        `alone`: see `ServiceGraph.hop`.
        """
        self._hop.record(seconds, self._labels.own(labels), context)
        if self._graph is not None:
            self._graph.hop(seconds, labels, context, alone=alone)

    def waited(self, seconds: float, labels: Attributes, context: Context) -> float:
        """Dwell of one message, at least 0 where two clocks disagree; returns what it recorded."""
        labels = self._labels.own(labels)
        if seconds < 0:
            self._skew.add(1, labels, context)
            seconds = 0.0
        self._queue.record(seconds, labels, context)
        if self._graph is not None:
            self._graph.waited(seconds, labels, context)
        return seconds

    def arrived(self, result: str, destination: str, labels: Attributes, context: Context) -> None:
        """What became of the context of one inbound hop, whose labels are those of `hop()`.

        A request without context that reaches an entry point starts a trace there: it has lost
        nothing, and is not counted.
        """
        if self._entry_point and result == "missing" and labels[names.SIDE] == "server":
            return
        found = {key: labels[key] for key in (names.CLIENT, names.SERVER, names.TRANSPORT)}
        found |= {names.DESTINATION: destination, names.RESULT: result}
        self._propagation.add(1, self._labels.own(found), context)

    def conventional(
        self, duration: str | None, count: str | None, seconds: float, messages: int,
        labels: Attributes, context: Context,
    ) -> None:  # fmt: skip
        """The same hop under the semantic conventions' names, unless they are switched off."""
        if not self._semconv:
            return
        labels = self._labels.conventional(labels)
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
