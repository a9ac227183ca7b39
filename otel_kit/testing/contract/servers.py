"""The contract of everything that answers requests."""

import asyncio
import time

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing.contract.base import Behaviour, ServerHarness
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID, UNSAMPLED, from_kit
from otel_kit.testing.contract.measures import durations, served
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

Harness = type[ServerHarness]
SERVER = SpanKind.SERVER


async def test_the_server_span_continues_the_callers_trace(
    subject: Subject, harness: Harness
) -> None:
    """The SERVER span is a child of the span that the headers name."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK, SAMPLED)

    span = telemetry.span(kind=SERVER)
    assert span.parent is not None
    assert (span.context.trace_id, span.parent.span_id) == (TRACE_ID, SPAN_ID)


async def test_a_request_makes_exactly_one_span(subject: Subject, harness: Harness) -> None:
    """One SERVER span with the operation as its name, and no span for its parts."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK)

    assert [harness.operation] == [span.name for span in telemetry.spans]


async def test_a_request_without_context_starts_a_trace(subject: Subject, harness: Harness) -> None:
    """Without headers the SERVER span is a root."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK)

    assert telemetry.span(kind=SERVER).parent is None


@pytest.mark.own
async def test_a_request_without_context_is_counted_as_lost(
    subject: Subject, harness: Harness
) -> None:
    """Without headers the edge's client is unknown, and the loss is counted."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK)

    assert served(telemetry, harness, client="unknown", operation=harness.operation) == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="missing", server="tested") == 1


async def test_an_unsampled_parent_is_respected(subject: Subject, harness: Harness) -> None:
    """An unsampled caller's request makes no span, and its context goes on."""
    with subject.record(harness.library, sampler=DEFAULT_ON) as telemetry:
        async with harness() as server:
            await server.request(Behaviour.OK, headers=UNSAMPLED)

    assert telemetry.spans == []
    assert server.seen[0].span.trace_id == TRACE_ID
    assert not server.seen[0].span.trace_flags.sampled


async def test_metrics_do_not_depend_on_sampling(subject: Subject, harness: Harness) -> None:
    """An unsampled request counts for its edge all the same."""
    with subject.record(harness.library, sampler=DEFAULT_ON) as telemetry:
        await harness.once(Behaviour.OK, UNSAMPLED)

    assert [p.count for p in durations(telemetry, harness.transport, "server")] == [1]


@pytest.mark.own
async def test_edges_do_not_depend_on_sampling(subject: Subject, harness: Harness) -> None:
    """The pair of services is counted, whether or not its trace is kept."""
    with subject.record(harness.library, sampler=DEFAULT_ON) as telemetry:
        await harness.once(Behaviour.OK, UNSAMPLED)

    assert served(telemetry, harness) == 1


async def test_the_handler_runs_inside_the_span(subject: Subject, harness: Harness) -> None:
    """The handler's current span is the SERVER span."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            await server.request(Behaviour.OK)

    assert telemetry.span(kind=SERVER).context.span_id == server.seen[0].span.span_id


@only(lambda harness: harness.streams)
async def test_a_streamed_answer_is_inside_the_span_to_its_end(
    subject: Subject, harness: Harness
) -> None:
    """Every part of a streamed answer is made within the one SERVER span."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            await server.request(Behaviour.STREAMS)

    inside = {seen.span.span_id for seen in server.seen}
    assert {telemetry.span(kind=SERVER).context.span_id} == inside
    assert len(server.seen) > 2


async def test_baggage_reaches_the_handler(subject: Subject, harness: Harness) -> None:
    """W3C baggage of the caller is in the handler's context."""
    with subject.record(harness.library):
        async with harness() as server:
            await server.request(Behaviour.OK, headers={**SAMPLED, "baggage": "saga.id=order-17"})

    assert server.seen[0].baggage["saga.id"] == "order-17"


@pytest.mark.own
async def test_the_caller_is_named_by_its_tracestate(subject: Subject, harness: Harness) -> None:
    """The edge's client is the service that our tracestate member names."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK, from_kit("web"))

    assert served(telemetry, harness, client="web", operation=harness.operation) == 1
    assert (telemetry.span(kind=SERVER).attributes or {})[names.SPAN_CLIENT] == "web"


@pytest.mark.own
async def test_a_stale_member_does_not_name_the_caller(subject: Subject, harness: Harness) -> None:
    """If someone uninstrumented stood between, the client is unknown, not the wrong one."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK, from_kit("web", span_id=SPAN_ID + 1))

    assert served(telemetry, harness, client="unknown") == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="stale") == 1


async def test_other_tracestate_members_are_kept(subject: Subject, harness: Harness) -> None:
    """A vendor's tracestate member goes on with the trace."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK, {**SAMPLED, "tracestate": "vendor=kept"})

    assert dict(telemetry.span(kind=SERVER).context.trace_state) == {"vendor": "kept"}


@pytest.mark.own
async def test_our_tracestate_member_is_not_inherited(subject: Subject, harness: Harness) -> None:
    """The caller's member speaks of its own call: it is not passed on."""
    with subject.record(harness.library) as telemetry:
        await harness.once(Behaviour.OK, from_kit("web"))

    state = telemetry.span(kind=SERVER).context.trace_state
    assert dict(state) == {"vendor": "kept"}


@pytest.mark.own
async def test_the_reply_names_the_service(subject: Subject, harness: Harness) -> None:
    """A caller that said hello is told who answered and how long it took."""
    with subject.record(harness.library):
        reply = await harness.once(Behaviour.OK, from_kit("web"))

    assert reply.headers["server-timing"].startswith('otelkit;desc="tested";dur=')


@pytest.mark.own
async def test_a_stranger_gets_no_reply_of_ours(subject: Subject, harness: Harness) -> None:
    """A caller that does not know our member gets nothing added."""
    with subject.record(harness.library):
        reply = await harness.once(Behaviour.OK, SAMPLED)

    assert "server-timing" not in reply.headers


async def test_fifty_concurrent_requests_do_not_mix(subject: Subject, harness: Harness) -> None:
    """Each of many concurrent requests continues its own trace."""
    ids = range(1, 51)
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            await asyncio.gather(
                *(
                    server.request(
                        Behaviour.OK, headers={"traceparent": f"00-{n:032x}-{n:016x}-01"}
                    )
                    for n in ids
                )
            )

    spans = telemetry.matching(kind=SERVER)
    pairs = {(s.context.trace_id, s.parent.span_id) for s in spans if s.parent}
    assert {(n, n) for n in ids} == pairs


async def test_the_duration_is_the_whole_request(subject: Subject, harness: Harness) -> None:
    """The recorded duration covers the handler, and no more than the caller waited."""
    with subject.record(harness.library) as telemetry:
        async with harness() as server:
            server.on_request = lambda: time.sleep(0.02)
            began = time.perf_counter()
            await server.request(Behaviour.OK)
            waited = time.perf_counter() - began

    (point,) = durations(telemetry, harness.transport, "server")
    assert 0.02 <= point.sum <= waited


async def test_no_context_is_left_behind(subject: Subject, harness: Harness) -> None:
    """Serving leaves the surrounding context as it was."""
    with subject.record(harness.library):
        before = context.get_current()
        await harness.once(Behaviour.OK, SAMPLED)
        await harness.once(Behaviour.RAISES)

        assert before is context.get_current()
        assert not trace.get_current_span().get_span_context().is_valid
