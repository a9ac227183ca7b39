"""Which services stand one after the other: calls lead from left to right, as far as they can."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

Graph: TypeAlias = Mapping[str, Sequence[str]]
"""The servers of each client, sorted."""
_SWEEPS: Final = 4


def layers(nodes: Iterable[str], calls: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The nodes in layers, each ordered so that few edges cross; what calls nobody but itself is
    left out.

    A call that closes a circle, such as a reply, is the only one that leads back.
    """
    graph = _graph(nodes, calls)
    forward = _without_circles(graph)
    depth = _depths(forward)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in sorted(depth):
        found[depth[node]].append(node)
    return _untangled(found, forward)


def _graph(nodes: Iterable[str], calls: Iterable[tuple[str, str]]) -> Graph:
    known = set(nodes)
    pairs = sorted({(a, b) for a, b in calls if a != b and {a, b} <= known})
    graph: dict[str, list[str]] = {node: [] for node in sorted({n for pair in pairs for n in pair})}
    for client, server in pairs:
        graph[client].append(server)
    return graph


def _without_circles(graph: Graph) -> Graph:
    """Depth first from where calls enter, without the edges that lead back to where one is."""
    forward: dict[str, list[str]] = {node: [] for node in graph}
    open_now: set[str] = set()
    done: set[str] = set()
    for start in _entries(graph):
        if start in done:
            continue
        open_now.add(start)
        trail = [(start, iter(graph[start]))]
        while trail:
            node, rest = trail[-1]
            following = next(rest, None)
            if following is None:
                open_now.discard(node)
                done.add(node)
                trail.pop()
            elif following not in open_now:
                forward[node].append(following)
                if following not in done:
                    open_now.add(following)
                    trail.append((following, iter(graph[following])))
    return forward


def _entries(graph: Graph) -> list[str]:
    """Where to begin: first who is called by nobody, then who calls most and is called least."""
    called = dict.fromkeys(graph, 0)
    for servers in graph.values():
        for server in servers:
            called[server] += 1
    return sorted(graph, key=lambda node: (called[node] > 0, called[node] - len(graph[node]), node))


def _depths(forward: Graph) -> dict[str, int]:
    """How many calls in a row lead to each node, at most."""
    waiting = dict.fromkeys(forward, 0)
    for servers in forward.values():
        for server in servers:
            waiting[server] += 1
    depth = dict.fromkeys(forward, 0)
    ready = [node for node, many in waiting.items() if not many]
    while ready:
        node = ready.pop()
        for server in forward[node]:
            depth[server] = max(depth[server], depth[node] + 1)
            waiting[server] -= 1
            if not waiting[server]:
                ready.append(server)
    return depth


def _untangled(found: list[list[str]], forward: Graph) -> list[list[str]]:
    """Each layer by where its neighbours stand, forth and back (Sugiyama's barycentres)."""
    near: dict[str, list[str]] = {node: list(servers) for node, servers in forward.items()}
    for node, servers in forward.items():
        for server in servers:
            near[server].append(node)
    place = {node: _middle(layer, at) for layer in found for at, node in enumerate(layer)}
    for sweep in range(_SWEEPS):
        for layer in found if sweep % 2 == 0 else reversed(found):
            mean = {n: sum(place[other] for other in near[n]) / len(near[n]) for n in layer}
            layer.sort(key=lambda node: (mean[node], node))
            place.update((node, _middle(layer, at)) for at, node in enumerate(layer))
    return found


def _middle(layer: Sequence[str], at: int) -> float:
    """Rows from the middle of the layer."""
    return at - (len(layer) - 1) / 2
