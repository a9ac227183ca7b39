"""What the time of a critical path went into, in words."""

from typing import Final

from otel_kit import names
from otel_kit.explorer.model import words
from otel_kit.explorer.model.critical_path import CriticalPath, Label

_SPENT: Final[dict[Label, str]] = {
    "work": "work in",
    "queue": "waiting in the queue from",
    "network": "the network from",
    "backoff": "retry back-off in",
    "gap": "something unseen between",
}


def into(client: str, server: str, label: Label) -> str:
    """``waiting in the queue from orders to inventory``, ``work in bank``."""
    if client == server:
        return f"{_SPENT[label]} {known(client)}"
    return f"{_SPENT[label]} {known(client)} {'and' if label == 'gap' else 'to'} {known(server)}"


def known(service: str) -> str:
    """A service's name, also of one that nothing names."""
    return service or names.UNKNOWN


def sentence(path: CriticalPath) -> str:
    """``86 % of 4 m 10 s went into …``: the edge that took most; empty without a path."""
    edges = path.by_edge
    if not edges:
        return ""
    edge, spent = next(iter(edges.items()))
    total = sum(edges.values())
    took = words.duration(total / 1e9)
    return f"{words.share(spent / total)} of {took} went into {into(*edge)}."
