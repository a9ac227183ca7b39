"""What the collector knows of an order, read from its query API."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

HOP_KINDS: Final = {"client", "server", "producer", "consumer"}
MICROSECONDS: Final = 1e-6


@dataclass(frozen=True)
class Span:
    """A span as Jaeger's API tells it; times in seconds."""

    id: str
    trace_id: str
    parent_id: str
    service: str
    kind: str
    start: float
    duration: float

    @classmethod
    def from_jaeger(cls, span: dict[str, Any], services: dict[str, str]) -> Self:
        tags = {tag["key"]: tag["value"] for tag in span.get("tags", ())}
        parents = [ref for ref in span.get("references", ()) if ref["refType"] == "CHILD_OF"]
        return cls(
            id=span["spanID"],
            trace_id=span["traceID"],
            parent_id=parents[0]["spanID"] if parents else "",
            service=services[span["processID"]],
            kind=str(tags.get("span.kind", "internal")),
            start=span["startTime"] * MICROSECONDS,
            duration=span["duration"] * MICROSECONDS,
        )


@dataclass(frozen=True)
class Edge:
    """A crossing from one service to another: a call, or the wait in a queue; in seconds."""

    client: str
    server: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.client} → {self.server} {self.seconds:.3f} s"


@dataclass(frozen=True)
class Story:
    """One order in telemetry: all spans of all its traces."""

    spans: tuple[Span, ...]

    @property
    def trace_ids(self) -> set[str]:
        return {span.trace_id for span in self.spans}

    @property
    def hops(self) -> int:
        return sum(span.kind in HOP_KINDS for span in self.spans)

    @property
    def duration(self) -> float:
        begun = min(span.start for span in self.spans)
        return max(span.start + span.duration for span in self.spans) - begun

    @property
    def slowest_edge(self) -> Edge | None:
        return max(self._edges(), key=lambda edge: edge.seconds, default=None)

    def _edges(self) -> Iterable[Edge]:
        by_id = {span.id: span for span in self.spans}
        for span in self.spans:
            parent = by_id.get(span.parent_id)
            if parent is not None and span.kind == "server":
                yield Edge(parent.service, span.service, parent.duration)
            elif parent is not None and span.kind == "consumer":
                yield Edge(parent.service, span.service, span.start - parent.start)


async def story_of(client: httpx.AsyncClient, order_id: str) -> Story | None:
    """Return what is known of an order's saga, or None if nothing is."""
    reply = await client.get(f"/api/sagas/{order_id}")
    if reply.status_code == httpx.codes.NOT_FOUND:
        return None
    (saga,) = reply.raise_for_status().json()["data"]
    spans: list[Span] = []
    for trace_id in saga["trace_ids"]:
        spans += await _spans(client, trace_id)
    return Story(tuple(spans)) if spans else None


async def _spans(client: httpx.AsyncClient, trace_id: str) -> list[Span]:
    reply = await client.get(f"/api/traces/{trace_id}")
    (trace,) = reply.raise_for_status().json()["data"]
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return [Span.from_jaeger(span, services) for span in trace["spans"]]
