"""Edge metrics in cells look the same as those of instruments wherever they are exported to."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context

from otel_kit import hops, names
from otel_kit._instrument import instrument
from otel_kit.hops.cells import Cells
from otel_kit.hops.edges import SIDES, Conventional, Edge, Edges, Wait
from otel_kit.hops.http import CONVENTION
from otel_kit.hops.messaging import CONVENTION as MESSAGING
from otel_kit.hops.runtime import Runtime
from tests.embedded.running import collector
from tests.providers.sink import WAIT
from tests.providers.telemetry import MANUAL
from tests.providers.test_prometheus import PROMETHEUS, fetched

pytestmark = pytest.mark.usefixtures("kits")
Set = Callable[..., dict[str, str]]
ALONE = ["tenacity"]
"""One that makes no hops: the collector in this process is not watched."""
VARIES = re.compile(r'instance="[^"]*"|_created\S* .*| \d{10}\.\d+$', re.M)
"""What differs from one start of a service to the next: its identity, and times."""


def work(edges: Edges) -> None:
    """Hops of several kinds, a thousandth of a second and more each."""
    for number in range(1, 40):
        sampled = TraceFlags(TraceFlags.SAMPLED if number % 3 else 0)
        span = NonRecordingSpan(SpanContext(number, number, False, sampled))
        context = set_span_in_context(span, Context())
        side = SIDES[list(SpanKind)[1 + number % 4]]
        seconds, error = number / 1024, "timeout" if number % 5 == 0 else None
        result = "continued" if side in ("server", "consumer") else None
        edge = Edge("web", "orders", "http", side, "GET /", error, number % 2 == 0, result, "place")
        convention = CONVENTION if side in ("server", "client") else MESSAGING
        values = tuple(f"value {number % 2}" for _ in convention.labels)
        edges.hop(seconds, edge, Conventional(convention, side, values, error), number, context)
        wait = Wait("web", "orders", "kafka", "place", "group", number % 7 == 0)
        edges.waited(seconds * 1000, wait, context)


@pytest.fixture(params=["cumulative", "delta"])
def temporality(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def runtime() -> Runtime:
    found = hops.current()
    assert found is not None
    return found


def exported(set_all: Set, temporality: str, *, cells: bool) -> str:
    """What the embedded collector says after two exports."""
    preference = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality}
    with collector() as client:
        set_all(OTEL_EXPORTER_OTLP_ENDPOINT=client.otlp_http_url, **MANUAL, **preference)
        kit = instrument("orders", integrations=ALONE)
        assert isinstance(runtime().edges, Cells)
        if not cells:
            runtime().use(None)
        for _ in range(2):
            work(runtime().edges)
            assert kit.flush(WAIT)
        kit.shutdown(WAIT)
        accept = {"accept": "application/openmetrics-text"}
        return client.http.get(f"{client.query_url}/metrics", headers=accept).text


def told(page: str) -> list[str]:
    """The lines about edges, in any order."""
    edges = ("otel_kit_hop", "otel_kit_propagation", "traces_", "http_", "messaging_")
    return sorted(VARIES.sub("", line) for line in page.splitlines() if line.startswith(edges))


def test_the_collector_is_told_the_same(environment: Set, temporality: str) -> None:
    """Over OTLP: counts, buckets, sums and exemplars, since the start or since the last export."""
    ours = told(exported(environment, temporality, cells=True))
    theirs = told(exported(environment, temporality, cells=False))
    assert without_exemplars_of_counters(ours) == without_exemplars_of_counters(theirs)
    assert sum("trace_id" in line for line in ours) == sum("trace_id" in line for line in theirs)
    assert any(names.HOP_DURATION.replace(".", "_") in line for line in ours)


def without_exemplars_of_counters(lines: list[str]) -> list[str]:
    """Of a counter's measurements the SDK keeps any one, and the cells the last."""
    return [line if "_bucket" in line else line.partition(" # ")[0] for line in lines]


def test_prometheus_is_told_the_same(environment: Set) -> None:
    """On /metrics."""

    def page(*, cells: bool) -> list[str]:
        environment(**MANUAL | PROMETHEUS, OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="none")
        kit = instrument("orders", integrations=ALONE)
        if not cells:
            runtime().use(None)
        work(runtime().edges)
        assert kit._providers is not None
        found = fetched(kit._providers.prometheus_port)
        kit.shutdown(WAIT)
        return told(found)

    ours = page(cells=True)
    assert ours == page(cells=False)
    assert len(ours) > 100


@pytest.mark.parametrize("kind", ["base2_exponential_bucket_histogram"])
def test_exponential_histograms_are_left_to_the_sdk(environment: Set, kind: str) -> None:
    """The kind of histogram is the user's choice."""
    environment(**MANUAL, OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=kind)
    instrument("orders", integrations=ALONE)
    assert not isinstance(runtime().edges, Cells)
