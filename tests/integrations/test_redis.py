"""What is particular to redis-py's streams: fields, claims, pipelines, and who handles an entry."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
import redis.asyncio
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from tests.integrations.redis_clients import client, entries, key, lies
from tests.servers.redis import Redis as Server

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


@pytest.fixture
def plain() -> Iterator[Telemetry]:
    """redis-py instrumented; no message carries anything."""
    with capture("tested", integrations=["redis"]) as found:
        yield found


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """redis-py instrumented; entries of streams carry their context."""
    with capture("tested", integrations=["redis"], envelopes=["redis:orders-*"]) as found:
        yield found


@pytest.fixture(params=[2, 3])
def reader(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of either protocol, whose replies differ."""
    with client(protocol=request.param) as found:
        yield found


def grouped(reader: Any, *sent: dict[str, Any]) -> str:
    """A stream with these entries, and a group "g" that has read none of them."""
    stream = key()
    reader.xgroup_create(stream, "g", "0", mkstream=True)
    for fields in sent:
        reader.xadd(stream, fields)
    return stream


def current_span() -> Any:
    return trace.get_current_span().get_span_context()


def test_an_entry_is_what_was_added(plain: Telemetry, reader: Any) -> None:
    """Without the setting nothing is added; the hops are there, and the dwell by the entry's id."""
    stream = grouped(reader, {"total": 12})
    for _ in entries(reader.xreadgroup("g", "c", {stream: ">"})):
        pass

    assert lies(stream) == [{b"total": b"12"}]
    assert [span.kind for span in plain.spans] == [PRODUCER, CONSUMER]
    assert (plain.span(kind=CONSUMER).attributes or {})[names.SPAN_PROPAGATION] == "missing"
    assert plain.count(names.QUEUE_DURATION, destination=stream, group="g") == 1


def test_context_is_added_where_the_setting_says_so(telemetry: Telemetry, reader: Any) -> None:
    """The fields of a stream that it names have the context, those of another have not."""
    stream, other = grouped(reader, {"total": 12}), f"other-{key()}"
    reader.xadd(other, {"total": 12})

    (fields,) = lies(stream)
    assert {b"traceparent", b"tracestate", b"otelkit", b"total"} == set(fields)
    assert lies(other) == [{b"total": b"12"}]


def test_whatever_is_read_is_what_was_added(telemetry: Telemetry, reader: Any) -> None:
    """No command that reads entries shows what the kit has added to them."""
    stream = grouped(reader, {"total": 12})
    (entry,) = entries(reader.xreadgroup("g", "c", {stream: ">"}))
    seen = [
        entry,
        *entries(reader.xread({stream: "0"})),
        *reader.xrange(stream),
        *reader.xrevrange(stream),
        *reader.xclaim(stream, "g", "c", 0, [entry[0]]),
        *reader.xautoclaim(stream, "g", "c", 0)[1],
        *reader.pipeline().xrange(stream).execute()[0],
        *entries(reader.pipeline().xread({stream: "0"}).execute()[0]),
    ]

    assert [fields for _, fields in seen] == [{b"total": b"12"}] * 8


def test_strings_are_read_as_strings(telemetry: Telemetry) -> None:
    """A client that decodes gets the fields that were added, and the trace goes on."""
    with client(decode_responses=True) as reader:
        stream = grouped(reader, {"total": 12})
        (entry,) = entries(reader.xreadgroup("g", "c", {stream: ">"}))

    assert entry[1] == {"total": "12"}
    sent = telemetry.span(kind=PRODUCER).context
    assert telemetry.span(kind=CONSUMER).context.trace_id == sent.trace_id


def test_the_applications_own_context_is_read_and_left(plain: Telemetry, reader: Any) -> None:
    """Who puts `traceparent` among the fields finds it there, and its trace goes on."""
    stream = grouped(reader, {"total": 12, **SAMPLED})
    (entry,) = entries(reader.xreadgroup("g", "c", {stream: ">"}))

    assert entry[1][b"traceparent"].decode() == SAMPLED["traceparent"]
    assert plain.span(kind=CONSUMER).context.trace_id == TRACE_ID


def test_the_applications_own_fields_stay_where_the_kit_adds(telemetry: Telemetry) -> None:
    """What the application has injected is renewed, as a header would be, and is still there."""
    with client() as reader:
        own: dict[str, Any] = {}
        with telemetry.tracer_provider.get_tracer("app").start_as_current_span("app"):
            propagate.inject(own)
            stream = grouped(reader, {"total": 12, **own})
        (entry,) = entries(reader.xreadgroup("g", "c", {stream: ">"}))

    span = telemetry.span(kind=PRODUCER)
    assert set(entry[1]) == {b"total", *(name.encode() for name in own)}
    assert entry[1][b"traceparent"].split(b"-")[2].decode() == f"{span.context.span_id:016x}"


def test_a_stranger_cannot_hide_fields(plain: Telemetry, reader: Any) -> None:
    """A mark that names other fields than context takes nothing out but itself."""
    stream = grouped(reader, {"total": 12, "otelkit": "total,traceparent"})

    assert [fields for _, fields in reader.xrange(stream)] == [{b"total": b"12"}]


def test_an_entry_known_by_its_content_stays_as_it_is(telemetry: Telemetry) -> None:
    """`idmpauto` makes Redis compare contents: context would make each another."""
    with client().pipeline() as pipeline:
        try:
            pipeline.xadd(key(), {"total": 12}, idmpauto="producer")
        except TypeError:
            pytest.skip("this version of redis-py does not know idmpauto")
        assert pipeline.command_stack[0][0][-3:] == ("*", "total", 12)


def test_a_replay_reads_what_was_added(telemetry: Telemetry) -> None:
    """Also where nothing is recorded the kit takes out what it has put among the fields."""
    with client() as reader:
        stream = grouped(reader, {"total": 12})
        with otel_kit.replay():
            assert [fields for _, fields in reader.xrange(stream)] == [{b"total": b"12"}]
            (entry,) = entries(reader.xreadgroup("g", "c", {stream: ">"}))

    assert entry[1] == {b"total": b"12"}
    assert telemetry.matching(kind=CONSUMER) == []


def test_ids_alone_are_no_messages(plain: Telemetry, reader: Any) -> None:
    """Claims that return just ids return them as they are, and hand out nothing."""
    stream = grouped(reader, {"total": 12})
    (entry,) = entries(reader.xreadgroup("g", "c", {stream: ">"}))

    assert list(reader.xclaim(stream, "g", "c", 0, [entry[0]], justid=True)) == [entry[0]]
    assert list(reader.xautoclaim(stream, "g", "c", 0, justid=True)) == [entry[0]]
    assert len(plain.matching(kind=CONSUMER)) == 1


def test_an_entry_that_was_deleted_meanwhile_is_no_message(plain: Telemetry, reader: Any) -> None:
    """The history of a consumer names entries that are no more."""
    stream = grouped(reader, {"total": 12})
    reader.xdel(
        stream, *(entry[0] for entry in entries(reader.xreadgroup("g", "c", {stream: ">"})))
    )
    (gone,) = entries(reader.xreadgroup("g", "c", {stream: "0"}))

    assert not gone[1]
    assert len(plain.matching(kind=CONSUMER)) == 1


def test_acknowledging_first_does_not_end_the_hop(telemetry: Telemetry, reader: Any) -> None:
    """Who acknowledges before handling still handles within the span."""
    stream = grouped(reader, {"total": 12})
    inside = []
    for entry in entries(reader.xreadgroup("g", "c", {stream: ">"})):
        reader.xack(stream, "g", entry[0])
        inside.append(current_span().span_id)

    assert inside == [telemetry.span(kind=CONSUMER).context.span_id]


def test_other_commands_make_no_hops_and_end_none(plain: Telemetry, reader: Any) -> None:
    """A cache is no service; looking at a stream, or into a list, is not asking for the next."""
    stream = grouped(reader, {"total": 12})
    inside = []
    for _ in entries(reader.xreadgroup("g", "c", {stream: ">"})):
        reader.set(key(), 1)
        reader.lpop(key())
        reader.xrange(stream)
        inside.append(current_span().is_valid)

    assert inside == [True]
    assert len(plain.spans) == 2


def test_an_entry_may_be_handled_elsewhere(telemetry: Telemetry, reader: Any) -> None:
    """`process(entry)` goes on with the trace in a pool, also if no loop handed the entry out."""
    stream = grouped(reader, {"total": 12})
    reply = reader.xreadgroup("g", "c", {stream: ">"})
    pairs = list(reply.items()) if isinstance(reply, dict) else reply
    entry = pairs[0][1][0][0] if isinstance(pairs[0][1][0], list) else pairs[0][1][0]

    def handle() -> int:
        with otel_kit.process(entry):
            return int(current_span().span_id)

    with ThreadPoolExecutor(1) as pool:
        inside = pool.submit(handle).result()

    span = telemetry.span(kind=CONSUMER)
    assert inside == span.context.span_id
    assert span.context.trace_id == telemetry.span(kind=PRODUCER).context.trace_id


def test_a_batch_is_handled_at_once(telemetry: Telemetry) -> None:
    """A loop within `process(entries)` makes no further hops."""
    with client(protocol=2) as reader:
        stream = grouped(reader, {"total": 1}, {"total": 2})
        ((_, found),) = reader.xread({stream: "0"})
        with otel_kit.process(found):
            assert len([entry for entry in found]) == 2  # noqa: C416 - a loop is what is tested

    span = telemetry.span(kind=CONSUMER)
    assert len(span.links) == 2


def test_lists_are_lists(plain: Telemetry) -> None:
    """A reply compares, and is shown, as without the kit."""
    with client(protocol=2) as reader:
        stream = grouped(reader, {"total": 1})
        reply = reader.xread({stream: "0"})
        entry = reader.xrange(stream)[0]

    assert reply == [[stream.encode(), [entry]]]
    assert repr(reply[0][1]) == repr([entry])


# -- pipelines ------------------------------------------------------------------------------------


def test_an_add_of_a_pipeline_lasts_until_it_is_executed(telemetry: Telemetry) -> None:
    """A transaction sends when it is executed; its replies are the library's own."""
    stream = key()
    with client().pipeline() as pipeline:
        pipeline.set(key(), 1).xadd(stream, {"total": 1})
        before = len(telemetry.spans)
        done, added = pipeline.execute()

    assert (before, done) == (0, True)
    assert added == client().xrange(stream)[0][0]
    assert telemetry.span(kind=PRODUCER).status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("transaction", [True, False])
@pytest.mark.parametrize("raises", [True, False])
async def test_each_add_of_a_pipeline_ends_by_itself(
    telemetry: Telemetry, transaction: bool, raises: bool
) -> None:
    """That of a key that holds no stream is an error, the one beside it is none."""
    good, bad = key(), key()
    other = redis.asyncio.Redis(port=Server.shared().port)
    await other.set(bad, "no stream")
    for execute in (client().pipeline(transaction), other.pipeline(transaction)):
        execute.xadd(good, {"total": 1})
        execute.xadd(bad, {"total": 1})
        try:
            done = execute.execute(raise_on_error=raises)
            replies = await done if asyncio.iscoroutine(done) else done
        except redis.ResponseError:
            assert raises
        else:
            assert isinstance(replies[1], redis.ResponseError)
    await other.aclose()

    ends = [(span.name, span.status.status_code) for span in telemetry.matching(kind=PRODUCER)]
    assert sorted(ends, key=str) == sorted(
        [(f"send {good}", StatusCode.UNSET), (f"send {bad}", StatusCode.ERROR)] * 2, key=str
    )


async def test_a_pipeline_that_is_thrown_away_has_sent_nothing(telemetry: Telemetry) -> None:
    """Its sends were cancelled, which is no error."""
    with client().pipeline() as pipeline:
        pipeline.xadd(key(), {"total": 1})
    other = redis.asyncio.Redis(port=Server.shared().port)
    async with other.pipeline() as thrown_away:
        thrown_away.xadd(key(), {"total": 1})
    await other.aclose()

    assert telemetry.count(names.HOP_DURATION, error_class="cancelled") == 2
    assert {span.status.status_code for span in telemetry.spans} == {StatusCode.UNSET}


def test_a_transaction_that_lost_a_race_was_cancelled(telemetry: Telemetry) -> None:
    """A watched key that has changed makes the caller try again, and that is another send."""
    watched, stream = key(), key()
    with client().pipeline() as pipeline:
        pipeline.watch(watched)
        client().set(watched, 1)
        pipeline.multi()
        pipeline.xadd(stream, {"total": 1})
        with pytest.raises(redis.WatchError):
            pipeline.execute()

    assert telemetry.count(names.HOP_DURATION, error_class="cancelled") == 1
    assert lies(stream) == []
