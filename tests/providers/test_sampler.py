"""The sampler: one decision for all services and traces of a saga, told in tracestate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState

import otel_kit
from otel_kit import names
from otel_kit._providers.sampler import SagaSampler
from otel_kit.hops import ActiveHop
from otel_kit.hops.keys import HOP
from otel_kit.testing import capture

ROOT = context.Context()


def service(sampler: SagaSampler) -> trace.Tracer:
    """A service: the SDK's tracer with this sampler."""
    return TracerProvider(sampler, shutdown_on_exit=False).get_tracer("test")


def remote(*, sampled: bool, **members: str) -> context.Context:
    """A context as it comes from a caller with these tracestate members."""
    span = trace.NonRecordingSpan(
        SpanContext(
            trace_id=0x0123456789ABCDEF0123456789ABCDEF,
            span_id=1,
            is_remote=True,
            trace_flags=TraceFlags(int(sampled)),
            trace_state=TraceState(list(members.items())),
        )
    )
    return trace.set_span_in_context(span, ROOT)


def in_saga(saga_id: str, parent: context.Context = ROOT) -> context.Context:
    """The same context within a saga."""
    return baggage.set_baggage(names.SAGA_ID, saga_id, parent)


def started(tracer: trace.Tracer, parent: context.Context = ROOT) -> SpanContext:
    """The context of a span that the service starts."""
    return tracer.start_span("work", context=parent).get_span_context()


def fields(state: TraceState) -> dict[str, str]:
    """The sub-keys of OpenTelemetry's member."""
    return dict(pair.split(":") for pair in state.get("ot", "").split(";") if pair)


@pytest.mark.parametrize(
    ("name", "root", "under_sampled", "under_unsampled"),
    [
        ("always_on", True, True, True),
        ("always_off", False, False, False),
        ("parentbased_always_on", True, True, False),
        ("parentbased_always_off", False, True, False),
        ("parentbased_traceidratio", True, True, False),
        ("traceidratio", True, True, True),
    ],
)
def test_standard_names(name: str, root: bool, under_sampled: bool, under_unsampled: bool) -> None:
    """The six standard samplers decide as OpenTelemetry says, here with a ratio of one."""
    tracer = service(SagaSampler(name))
    parents = (ROOT, remote(sampled=True), remote(sampled=False))
    decisions = [started(tracer, parent).trace_flags.sampled for parent in parents]
    assert decisions == [root, under_sampled, under_unsampled]


@given(
    saga=st.text(min_size=1, max_size=50),
    ratios=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
)
def test_services_agree_on_a_saga(saga: str, ratios: list[float]) -> None:
    """Two services keep the same sagas, and one with a higher ratio keeps all of the other's."""
    orders, billing = (service(SagaSampler("traceidratio", ratio)) for ratio in ratios)
    decisions = [started(orders, in_saga(saga)).trace_flags.sampled for _ in range(3)]
    assert len(set(decisions)) == 1
    if decisions[0]:
        assert started(billing, in_saga(saga)).trace_flags.sampled


def test_ratio_is_kept() -> None:
    """The share of sagas that is kept is the ratio."""
    tracer = service(SagaSampler("parentbased_traceidratio", 0.25))
    kept = sum(started(tracer, in_saga(f"order-{n}")).trace_flags.sampled for n in range(4000))
    assert 900 < kept < 1100


def test_threshold_and_randomness_travel() -> None:
    """A kept root says with which threshold, and the randomness where it is not the trace id's."""
    tracer = service(SagaSampler("parentbased_traceidratio", 1.0))
    assert fields(started(tracer).trace_state) == {"th": "0"}
    in_order = fields(started(tracer, in_saga("order-17")).trace_state)
    assert in_order["th"] == "0"
    assert len(in_order["rv"]) == 14
    quarter = service(SagaSampler("traceidratio", 0.25))
    thresholds = {fields(started(quarter).trace_state).get("th") for _ in range(100)}
    assert thresholds == {"c", None}


@pytest.mark.parametrize(
    ("randomness", "kept"), [("c0000000000000", True), ("bfffffffffffff", False)]
)
def test_randomness_of_the_caller_decides(randomness: str, kept: bool) -> None:
    """An rv that came with the request is used and passed on, even within a saga."""
    tracer = service(SagaSampler("traceidratio", 0.25))
    parent = in_saga("order-17", remote(sampled=not kept, ot=f"th:8;rv:{randomness}"))
    span = started(tracer, parent)
    assert span.trace_flags.sampled is kept
    assert fields(span.trace_state) == {"rv": randomness} | ({"th": "c"} if kept else {})


@pytest.mark.parametrize("malformed", ["xyz", "C0000000000000", "c", ""])
def test_malformed_randomness_is_replaced(malformed: str) -> None:
    """An rv that is not 14 hexadecimal digits counts as absent."""
    tracer = service(SagaSampler("traceidratio", 1.0))
    span = started(tracer, remote(sampled=True, ot=f"rv:{malformed};x:1"))
    assert fields(span.trace_state) == {"th": "0", "x": "1"}


@pytest.mark.parametrize("name", ["traceidratio", "parentbased_traceidratio", "always_on"])
@pytest.mark.parametrize("sampled", [True, False])
def test_other_members_survive(name: str, sampled: bool) -> None:
    """Other vendors' members of tracestate, and other sub-keys of ot, reach the next service."""
    parent = remote(sampled=sampled, vendor="abc", ot="x:1", another="def")
    state = started(service(SagaSampler(name)), parent).trace_state
    assert state["vendor"] == "abc"
    assert state["another"] == "def"
    assert fields(state)["x"] == "1"


def test_full_tracestate_keeps_its_bounds() -> None:
    """With 32 members already there, ours takes the place of the last."""
    members = {f"v{n}": "1" for n in range(32)}
    state = started(
        service(SagaSampler("traceidratio")), remote(sampled=True, **members)
    ).trace_state
    assert len(state) == 32
    assert next(iter(state)) == "ot"


def test_parent_based_leaves_tracestate_alone() -> None:
    """A child of a kept span has its parent's tracestate, so th and rv reach every service."""
    orders, billing = (service(SagaSampler("parentbased_traceidratio", 1.0)) for _ in range(2))
    root = orders.start_span("root", context=in_saga("order-17"))
    child = started(billing, trace.set_span_in_context(root, ROOT))
    assert child.trace_state == root.get_span_context().trace_state


class Seen(SpanProcessor):
    """Remembers the names of the spans that end."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.names.append(span.name)


@contextmanager
def own_span() -> Iterator[None]:
    """As the kit starts a span of its own."""
    starting = ActiveHop(None, SpanKind.CLIENT, None)
    token = context.attach(context.set_value(HOP, starting))
    yield
    context.detach(token)


def test_unsampled_spans_reach_processors() -> None:
    """Others' spans of service boundaries are seen when unsampled, inner ones and ours are not."""
    provider = TracerProvider(
        SagaSampler("always_off", record_unsampled=True), shutdown_on_exit=False
    )
    seen = Seen()
    provider.add_span_processor(seen)
    tracer = provider.get_tracer("contrib")
    for kind in SpanKind:
        tracer.start_span(kind.name, kind=kind).end()
    with own_span():
        tracer.start_span("own", kind=SpanKind.CLIENT).end()
    assert sorted(seen.names) == ["CLIENT", "CONSUMER", "PRODUCER", "SERVER"]


def test_unsampled_spans_are_not_recorded_in_vain() -> None:
    """Without a use for them, unsampled spans are not recorded."""
    tracer = service(SagaSampler("always_off"))
    assert not tracer.start_span("work", kind=SpanKind.SERVER).is_recording()


def test_traces_begun_within_a_saga_agree() -> None:
    """At 50 %, all traces begun within one of 200 sagas are kept or none, and some of each."""
    half = SagaSampler("parentbased_traceidratio", 0.5)
    verdicts = []
    with capture(sampler=half), capture("billing", sampler=half):
        for order in range(200):
            traces = [kept(f"order-{order}") for _ in range(3)]
            assert len(set(traces)) == 1, order
            verdicts += traces[:1]
    assert 40 < sum(verdicts) < 160


def test_the_trace_that_begins_a_saga_stays_whole() -> None:
    """The trace in which saga() is called keeps its decision, and whatever continues it agrees."""
    with capture(sampler=SagaSampler("parentbased_traceidratio", 0.5)):
        for order in range(50):
            sent: dict[str, str] = {}
            with otel_kit.serve(otel_kit.rpc_call("Orders/Place", carrier={})) as first:
                decision = first.span.get_span_context().trace_flags.sampled
                pay = otel_kit.rpc_call("Bank/Pay", carrier=sent)
                with otel_kit.saga(f"order-{order}"), otel_kit.call(pay):
                    pass
            with otel_kit.serve(otel_kit.rpc_call("Bank/Pay", carrier=sent)) as second:
                assert second.span.get_span_context().trace_flags.sampled == decision


def kept(saga: str) -> bool:
    """Whether a new trace of this saga is kept."""
    with otel_kit.saga(saga), otel_kit.call(otel_kit.rpc_call("Bank/Pay", carrier={})) as hop:
        return bool(hop.span.get_span_context().trace_flags.sampled)
