"""The metrics of Grafana's service graph, from the same measurements as the edges.

**A hop is counted once, by the side that received it.**  The sender counts only what nobody else
can: a request that nobody answered by name (`Server-Timing`), and a message that could not be
sent.  A request that timed out or was given up on the way to a service that is known to answer is
left to that service.  So requests of a pair add up whichever of its sides use the kit.

Names and labels are those of Grafana Tempo's metrics generator, whose panels read them.
"""

from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, Meter

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops.hop import Attributes

MESSAGING: Final = "messaging_system"
"""`connection_type` of messages; requests have an empty one."""
NOT_FAILED: Final = frozenset({ErrorClass.CLIENT_ERROR, ErrorClass.BUSINESS, ErrorClass.CANCELLED})
"""Error classes that are no failure of the service that answered; a hop of any other failed."""
_RECEIVING: Final = frozenset({"server", "consumer"})
_MESSAGES: Final = frozenset({"producer", "consumer"})


class ServiceGraph:
    """The instruments of the service graph."""

    def __init__(self, meter: Meter, *, seconds: tuple[float, ...], waits: tuple[float, ...]):
        self._requests = meter.create_counter(
            names.GRAPH_REQUESTS, "{request}", "Hops between two services, each counted once."
        )
        self._failed = meter.create_counter(
            names.GRAPH_FAILED, "{request}", "Those of them that failed."
        )

        def histogram(name: str, description: str, buckets: tuple[float, ...]) -> Histogram:
            return meter.create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=buckets
            )

        self._server = histogram(names.GRAPH_SERVER, "Duration at the receiving side.", seconds)
        self._client = histogram(names.GRAPH_CLIENT, "Duration at the sending side.", seconds)
        self._waited = histogram(names.GRAPH_MESSAGING, "Wait of messages in a queue.", waits)

    def hop(self, seconds: float, labels: Attributes, context: Context, *, alone: bool) -> None:
        """One hop with the labels of `otel_kit.hop.duration`.

        `alone`: this is the sending side, and nobody at the other one will count the hop.
        """
        side = labels[names.SIDE]
        receiving = side in _RECEIVING
        pair = _pair(labels, MESSAGING if side in _MESSAGES else "")
        (self._server if receiving else self._client).record(seconds, pair, context)
        if receiving or alone:
            self._requests.add(1, pair, context)
            if labels.get(names.ERROR_CLASS, ErrorClass.CANCELLED) not in NOT_FAILED:
                self._failed.add(1, pair, context)

    def waited(self, seconds: float, labels: Attributes, context: Context) -> None:
        """The dwell of one message."""
        self._waited.record(seconds, _pair(labels, MESSAGING), context)


def _pair(labels: Attributes, connection_type: str) -> dict[str, Any]:
    return {
        names.CLIENT: labels[names.CLIENT],
        names.SERVER: labels[names.SERVER],
        names.CONNECTION_TYPE: connection_type,
    }
