"""One saga's path as part of the service map."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from otel_kit import names
from otel_kit.explorer.model.service_map import Edge, EdgeKey, Node, Passage, ServiceMap
from otel_kit.records import Quantiles


@dataclass(frozen=True, slots=True)
class Leg:
    """The `number`-th edge, from 1, that the saga came to, `after_ns` after its start."""

    number: int
    key: EdgeKey
    after_ns: int
    times: int
    errors: int


def legs(
    drawn: ServiceMap, path: Sequence[Passage], started_ns: int
) -> tuple[ServiceMap, tuple[Leg, ...]]:
    """The map with everything the saga passed on it, and the path.

    A saga's spans do not tell the transport as metrics do: of several, the most used is taken.
    What no metric knows (or no longer) is added with an empty transport and no calls.
    """
    found, missing = [], []
    for number, passage in enumerate(path, start=1):
        edge = _edge(drawn, passage)
        if edge is None:
            edge = _unmeasured(passage)
            missing.append(edge)
        after_ns = passage.first_ns - started_ns
        found.append(Leg(number, edge.key, after_ns, passage.times, passage.errors))
    return _with(drawn, missing), tuple(found)


def _edge(drawn: ServiceMap, passage: Passage) -> Edge | None:
    ends = (passage.client, passage.server)
    between = [edge for edge in drawn.edges if edge.key[:2] == ends]
    real = [edge for edge in between if edge.transport != names.BREAKER_TRANSPORT]
    return max(real or between, key=lambda edge: edge.calls, default=None)


def _unmeasured(passage: Passage) -> Edge:
    return Edge(passage.client, passage.server, "", 0, None, {}, Quantiles(), Quantiles())


def _with(drawn: ServiceMap, missing: Sequence[Edge]) -> ServiceMap:
    nodes = {node.name: node for node in (*_nodes(missing), *drawn.nodes)}
    edges = sorted((*drawn.edges, *missing), key=lambda edge: edge.key)
    return replace(
        drawn, nodes=tuple(nodes[name] for name in sorted(nodes)), edges=tuple(edges)
    )  # fmt: skip


def _nodes(edges: Iterable[Edge]) -> Iterable[Node]:
    for edge in edges:
        for name in (edge.client, edge.server):
            yield Node(name, "outside" if name == names.UNKNOWN else "service")
