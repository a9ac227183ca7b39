"""What the tests ask Jaeger and Prometheus."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from collector.stack.one_machine import OneMachine
from demo.launcher.traces import Span
from tests.dashboards.prometheus import Prometheus

T = TypeVar("T")


def eventually(read: Callable[[], T], enough: Callable[[T], bool], seconds: float = 30) -> T:
    """Read until it is enough, or return the last that was read."""
    end = time.monotonic() + seconds
    while not enough(found := read()) and time.monotonic() < end:
        time.sleep(0.25)
    return found


@dataclass(frozen=True)
class Jaeger:
    """Jaeger's query API."""

    url: str

    def traces(self, service: str, tags: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """All traces with a span of a service that has these tags; none while it knows nobody."""
        asked = {"service": service, "tags": json.dumps(tags or {}), "limit": "100000"}
        reply = httpx.get(f"{self.url}/api/traces", params=asked, timeout=30)
        reply.raise_for_status()
        return list(reply.json()["data"] or ())

    def spans(self, service: str, tags: dict[str, str] | None = None) -> list[Span]:
        """All spans of these traces."""
        return [span for trace in self.traces(service, tags) for span in spans_of(trace)]


def spans_of(trace: dict[str, Any]) -> list[Span]:
    """The spans of a trace."""
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return [Span.from_jaeger(span, services) for span in trace["spans"]]


@contextmanager
def prometheus(stack: OneMachine) -> Iterator[Prometheus]:
    """The Prometheus of a stack."""
    asking = Prometheus(stack.url("prometheus"))
    try:
        yield asking
    finally:
        asking.close()


def by_labels(asking: Prometheus, query: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The samples of a query by some of their labels."""
    return {
        tuple(sample["metric"].get(label, "") for label in labels): float(sample["value"][1])
        for sample in asking.get("query", query=query)["result"]
    }


def total(asking: Prometheus, query: str) -> float:
    """The sum of a query's samples, 0 if there is none."""
    return sum(by_labels(asking, f"sum({query})").values())
