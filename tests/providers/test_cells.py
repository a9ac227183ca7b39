"""Edge metrics in cells are those that the SDK's instruments make of the same hops."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, TraceIdRatioBased

import otel_kit
from otel_kit import hops, names
from otel_kit._providers.measuring import MeasuringMeterProvider
from otel_kit.hops import runtime
from otel_kit.hops.cells import Cells
from otel_kit.hops.instruments import Instruments
from otel_kit.hops.runtime import Runtime
from otel_kit.testing import capture
from tests.providers.both import Both

DELTA = AggregationTemporality.DELTA
ALONE = ("tenacity",)
"""To patch every library for each example would take long."""
TEMPORALITIES: dict[str, dict[type, AggregationTemporality]] = {
    "cumulative": {},
    "delta": {Counter: DELTA, Histogram: DELTA},
    "mixed": {Histogram: DELTA},
}
CLIENTS = st.sampled_from(["web", "shop", "", "x" * 300])
ERRORS = st.sampled_from([None, TimeoutError(), ConnectionError(), ValueError("no")])


@st.composite
def carriers(draw: st.DrawFn) -> dict[str, str]:
    """Headers with a context of a known caller, or with none, or with nonsense."""
    kind = draw(st.sampled_from(["known", "foreign", "missing", "invalid"]))
    number, flag = draw(st.integers(1, 2**64 - 1)), draw(st.sampled_from(["00", "01"]))
    headers = {"traceparent": f"00-{number:032x}-{number:016x}-{flag}"}
    if kind == "known":
        sent = int((time.time() + draw(st.integers(-90_000, 90))) * 1e9)
        headers["tracestate"] = f"otelkit=c:{draw(CLIENTS)};p:{number:016x};t:{sent:x}"
    return {"missing": {}, "invalid": {"traceparent": "00-nonsense"}}.get(kind, headers)


@st.composite
def requests(draw: st.DrawFn) -> Callable[[], None]:
    """A request, from either side."""
    carrier, error = draw(carriers()), draw(ERRORS)
    method, route = draw(st.sampled_from(["GET", "BREW"])), draw(st.sampled_from(["/a", None]))
    status, verb = draw(st.sampled_from([200, 404, 500])), draw(st.sampled_from(["call", "serve"]))
    reply = draw(st.sampled_from([None, 'otelkit;desc="bank";dur=1']))

    def run() -> None:
        hop = otel_kit.http_request(
            method, carrier=carrier, scheme="http", route=route, host="bank", port=80
        )
        with suppress(Exception), getattr(otel_kit, verb)(hop) as active:
            if verb == "call":
                active.answered(reply)
            active.status(status)
            _raise(error)

    return run


@st.composite
def messages(draw: st.DrawFn) -> Callable[[], None]:
    """A message that is sent, or some that are handled together."""
    sending, error = draw(st.booleans()), draw(ERRORS)
    each = st.tuples(carriers(), st.sampled_from(["orders", "bills"]), st.none() | st.just(1e9))
    parts = draw(st.lists(each, min_size=1, max_size=1 if sending else 4))

    def run() -> None:
        hop: Any = [
            otel_kit.incoming("kafka", topic, carrier=carrier, sent_at=sent, group="g")
            for carrier, topic, sent in parts
        ]
        if sending:
            active = otel_kit.send(otel_kit.outgoing("kafka", parts[0][1], carrier=parts[0][0]))
        else:
            active = otel_kit.process(hop if len(hop) > 1 else hop[0])
        with suppress(Exception), active:
            _raise(error)

    return run


def _current() -> Runtime:
    found = hops.current()
    assert found is not None
    return found


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


@given(
    work=st.lists(requests() | messages() | st.none(), max_size=25),
    sampler=st.sampled_from([ALWAYS_ON, ALWAYS_OFF, TraceIdRatioBased(0.5)]),
    temporality=st.sampled_from(sorted(TEMPORALITIES)),
    exemplars=st.sampled_from(["trace_based", "always_on", "always_off"]),
    switches=st.fixed_dictionaries(
        dict.fromkeys(("semconv", "service_graph", "entry_point"), st.booleans())
    ),
)
def test_cells_say_what_instruments_say(
    work: list[Callable[[], None] | None],
    sampler: Any,
    temporality: str,
    exemplars: str,
    switches: dict[str, bool],
) -> None:
    """Names, labels, counts, sums, buckets, extremes, exemplars and times, at every collection."""
    with capture("orders", sampler=sampler, integrations=ALONE):
        both = Both(exemplars, TEMPORALITIES[temporality], **switches)
        _current().edges = both
        for hop in work:
            both.compare() if hop is None else hop()
        both.compare()
        both.compare()


def test_the_kits_own_providers_keep_edges_in_cells() -> None:
    """And so do its test helpers."""
    with capture("orders"):
        assert isinstance(_current().edges, Cells)


def test_without_a_global_interpreter_lock_they_are_in_instruments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where updates of cells would not be atomic."""
    monkeypatch.setattr(runtime, "ATOMIC", False)
    with capture("orders") as telemetry:
        assert isinstance(_current().edges, Instruments)
        with otel_kit.send(otel_kit.outgoing("kafka", "orders", carrier={})):
            pass
        assert telemetry.count(names.HOP_DURATION) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        {"views": [View(instrument_name="*", attribute_keys=set())]},
        {"aggregation": {Histogram: ExponentialBucketHistogramAggregation()}},
    ],
)
def test_what_only_the_sdk_can_do_is_left_to_it(wanted: dict[str, Any]) -> None:
    """With views, or exponential histograms, the edges are in instruments."""
    reader = InMemoryMetricReader(preferred_aggregation=wanted.pop("aggregation", None))
    provider = MeasuringMeterProvider([reader], shutdown_on_exit=False, **wanted)
    with capture("orders") as telemetry:
        this = _current()
        this.use(None)
        provider.publish(this.cells, this.use)
        assert isinstance(this.edges, Instruments)
        with otel_kit.call(otel_kit.http_request("GET", carrier={}, scheme="http", host="bank")):
            pass
        assert telemetry.count(names.HOP_DURATION) == 1


def test_every_reader_has_sums_of_its_own() -> None:
    """One that is added later counts from then on; none takes anything from another."""
    first, second = InMemoryMetricReader({Histogram: DELTA}), InMemoryMetricReader()
    provider = MeasuringMeterProvider([first], shutdown_on_exit=False)
    with capture("orders"):
        provider.publish(_current().cells, _current().use)

        def work() -> None:
            with otel_kit.send(otel_kit.outgoing("kafka", "orders", carrier={})):
                pass

        work()
        provider.add_metric_reader(second)
        work()
        assert (hops_in(first), hops_in(second)) == (2, 1)
        work()
        assert (hops_in(first), hops_in(first), hops_in(second)) == (1, 0, 2)


def test_metrics_of_others_stay_where_they_are() -> None:
    """Edges stand beside the kit's other metrics, under one scope, and no scope comes twice."""
    reader = InMemoryMetricReader()
    provider = MeasuringMeterProvider([reader], shutdown_on_exit=False)
    for scope in ("other", names.SCOPE):
        provider.get_meter(scope).create_counter("orders").add(1)
    with capture("orders"):
        provider.publish(_current().cells, _current().use)
        with otel_kit.send(otel_kit.outgoing("kafka", "orders", carrier={})):
            pass
    data = reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    found = {each.scope.name: [one.name for one in each.metrics] for each in resource.scope_metrics}
    assert len(resource.scope_metrics) == len(found) == 2
    assert found["other"] == ["orders"]
    assert {"orders", names.HOP_DURATION} < set(found[names.SCOPE])


def hops_in(reader: InMemoryMetricReader) -> int:
    """How many hops it collects."""
    data = reader.get_metrics_data()
    return sum(
        point.count
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == names.HOP_DURATION
        for point in metric.data.data_points
    )
