"""In which metrics a hop counts, and with which labels.

Every label is bounded; a business id is never one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from otel_kit import names
from otel_kit.hops import graph
from otel_kit.hops.edges import DURATION_BUCKETS, QUEUE_BUCKETS, SIDES, Conventional, Edge, Wait
from otel_kit.hops.labels import Labels
from otel_kit.hops.metric import Metric

HOP: Final = Metric(
    names.HOP_DURATION, "s", "Duration of a hop, per pair of services.", DURATION_BUCKETS
)
QUEUE: Final = Metric(
    names.QUEUE_DURATION,
    "s",
    "Time a message waited, from send to start of handling.",
    QUEUE_BUCKETS,
)
SKEW: Final = Metric(
    names.QUEUE_CLOCK_SKEW, "{message}", "Messages that seem to arrive before they were sent."
)
PROPAGATION: Final = Metric(
    names.PROPAGATION_MESSAGES, "{message}", "Inbound hops by what became of their context."
)
_KINDS: Final = {side: kind for kind, side in SIDES.items()}


class Series(NamedTuple):
    """One metric with one set of labels, in the order of their making."""

    metric: Metric
    labels: tuple[tuple[str, Any], ...]


class Projection:
    """From a hop to its series; one a process, so that all agree on what is `_OTHER`.

    `semconv` and `service_graph` switch on the metrics under the names of the semantic conventions
    and of Grafana's service graph.  `entry_point`: requests without context are expected here.
    """

    def __init__(self, *, semconv: bool, service_graph: bool = True, entry_point: bool = False):
        self._semconv, self._graph, self._entry_point = semconv, service_graph, entry_point
        self._labels = Labels()

    def of_hop(self, edge: Edge | None, said: Conventional | None) -> Iterator[Series]:
        """The series of a hop; see `Edges.hop`."""
        if edge is not None:
            yield self._own(HOP, _labels(edge))
            if self._graph:
                yield from _series(graph.of_hop(edge))
            if edge.result not in (None, "untrusted") and not self._is_a_start(edge):
                yield self._own(PROPAGATION, _arrival(edge))
        if said is not None and self._semconv:
            yield from self._conventional(said)

    def of_wait(self, wait: Wait) -> Iterator[Series]:
        """The series of a message's dwell."""
        labels = {
            names.CLIENT: wait.client,
            names.SERVER: wait.server,
            names.TRANSPORT: wait.transport,
            names.DESTINATION: wait.destination,
            names.GROUP: wait.group,
        }
        yield self._own(QUEUE, labels)
        if wait.skewed:
            yield self._own(SKEW, labels)
        if self._graph:
            yield from _series([graph.of_wait(wait)])

    def _is_a_start(self, edge: Edge) -> bool:
        """A request without context at an entry point starts a trace there: nothing was lost."""
        return self._entry_point and edge.result == "missing" and edge.side == "server"

    def _own(self, metric: Metric, labels: Mapping[str, Any]) -> Series:
        return Series(metric, tuple(self._labels.own(labels).items()))

    def _conventional(self, said: Conventional) -> Iterator[Series]:
        convention, kind = said.convention, _KINDS[said.side]
        known = zip(convention.labels, said.values, strict=True)
        labels = {label: value for label, value in known if value is not None}
        if said.error_type:
            labels[names.ERROR_TYPE] = said.error_type
        bounded = tuple(self._labels.conventional(labels).items())
        if duration := convention.durations.get(kind):
            yield Series(Metric(duration, "s", "", DURATION_BUCKETS), bounded)
        if counter := convention.counts.get(kind):
            yield Series(Metric(counter, "{message}", of_messages=True), bounded)


def _series(found: Iterable[tuple[Metric, Mapping[str, Any]]]) -> Iterator[Series]:
    return (Series(metric, tuple(labels.items())) for metric, labels in found)


def _labels(edge: Edge) -> dict[str, Any]:
    labels = {
        names.CLIENT: edge.client,
        names.SERVER: edge.server,
        names.TRANSPORT: edge.transport,
        names.SIDE: edge.side,
        names.OPERATION: edge.operation,
    }
    return labels if edge.error_class is None else labels | {names.ERROR_CLASS: edge.error_class}


def _arrival(edge: Edge) -> dict[str, Any]:
    return {
        names.CLIENT: edge.client,
        names.SERVER: edge.server,
        names.TRANSPORT: edge.transport,
        names.DESTINATION: edge.destination,
        names.RESULT: edge.result,
    }
