"""The metrics of Grafana's service graph, from the same measurements as the edges.

**A hop is counted once, by the side that received it.**  The sender counts only what nobody else
can: a request that nobody answered by name (`Server-Timing`), and a message that could not be
sent.  A request that timed out or was given up on the way to a service that is known to answer is
left to that service.  So requests of a pair add up whichever of its sides use the kit.

Names and labels are those of Grafana Tempo's metrics generator, whose panels read them.
"""

from collections.abc import Iterator
from typing import Final

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops.edges import DURATION_BUCKETS, QUEUE_BUCKETS, Edge, Wait
from otel_kit.hops.metric import Metric

MESSAGING: Final = "messaging_system"
"""`connection_type` of messages; requests have an empty one."""
NOT_FAILED: Final = frozenset({ErrorClass.CLIENT_ERROR, ErrorClass.BUSINESS, ErrorClass.CANCELLED})
"""Error classes that are no failure of the service that answered; a hop of any other failed."""
REQUESTS: Final = Metric(
    names.GRAPH_REQUESTS, "{request}", "Hops between two services, each counted once."
)
FAILED: Final = Metric(names.GRAPH_FAILED, "{request}", "Those of them that failed.")
SERVER: Final = Metric(names.GRAPH_SERVER, "s", "Duration at the receiving side.", DURATION_BUCKETS)
CLIENT: Final = Metric(names.GRAPH_CLIENT, "s", "Duration at the sending side.", DURATION_BUCKETS)
WAITED: Final = Metric(names.GRAPH_MESSAGING, "s", "Wait of messages in a queue.", QUEUE_BUCKETS)
_RECEIVING: Final = frozenset({"server", "consumer"})
_MESSAGES: Final = frozenset({"producer", "consumer"})


def of_hop(edge: Edge) -> Iterator[tuple[Metric, dict[str, str]]]:
    """The metrics in which a hop counts, and their labels."""
    receiving = edge.side in _RECEIVING
    pair = _pair(edge, MESSAGING if edge.side in _MESSAGES else "")
    yield SERVER if receiving else CLIENT, pair
    if receiving or edge.alone:
        yield REQUESTS, pair
        if edge.error_class is not None and edge.error_class not in NOT_FAILED:
            yield FAILED, pair


def of_wait(wait: Wait) -> tuple[Metric, dict[str, str]]:
    """The metric of the dwell of a message, and its labels."""
    return WAITED, _pair(wait, MESSAGING)


def _pair(ends: Edge | Wait, connection_type: str) -> dict[str, str]:
    return {
        names.CLIENT: ends.client,
        names.SERVER: ends.server,
        names.CONNECTION_TYPE: connection_type,
    }
