"""What is peculiar to how nats-py hands messages out: handlers, lists, deliveries."""

import asyncio
import functools
import time
from collections.abc import Iterator
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry
from otel_kit.testing.contract.messaging import as_headers
from tests.integrations.nats.clients import connected, kinds, span_id
from tests.servers.nats import Nats

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


# -- subscriptions --------------------------------------------------------------------------------


async def test_a_handler_is_not_part_of_what_subscribed(
    telemetry: Telemetry, client: Any, server: Nats
) -> None:
    """A message without context is a root, whatever was current where somebody subscribed."""
    seen = asyncio.Event()

    async def handle(message: Msg) -> None:
        seen.set()

    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("setup"):
        await client.subscribe("roots", cb=handle)
        await client.flush()
    with server.connected() as other:
        other.publish("roots", b"value")
    await asyncio.wait_for(seen.wait(), 20)
    await asyncio.sleep(0)

    assert telemetry.span(kind=CONSUMER).parent is None


async def test_a_handler_that_unsubscribes_goes_on(telemetry: Telemetry, client: Any) -> None:
    """Its hop ends when it returns, not with the subscription."""
    inside: list[int] = []
    done = asyncio.Event()

    async def handle(message: Msg) -> None:
        await subscription.unsubscribe(limit=1)
        inside.append(span_id())
        done.set()

    subscription = await client.subscribe("once", cb=handle)
    await client.publish("once", b"value")
    await asyncio.wait_for(done.wait(), 20)
    await client.flush()

    assert inside == [telemetry.span(kind=CONSUMER).context.span_id]


async def test_a_partial_is_a_handler(telemetry: Telemetry, client: Any) -> None:
    """The library takes one for a coroutine function, with the kit as without."""
    seen: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def handle(queue: Any, message: Msg) -> None:
        await queue.put((message.subject, span_id()))

    await client.subscribe("partial", cb=functools.partial(handle, seen))
    await client.publish("partial", b"value")
    subject, inside = await asyncio.wait_for(seen.get(), 20)
    await client.flush()

    assert subject == "partial"
    assert inside == telemetry.span(kind=CONSUMER).context.span_id


async def test_fifty_tasks_of_a_handler_do_not_mix(telemetry: Telemetry, client: Any) -> None:
    """A handler that leaves each message to a task says `process` there: one hop each."""
    together = asyncio.Barrier(50)
    seen: list[tuple[bytes, int]] = []

    async def work(message: Msg) -> None:
        with otel_kit.process(message):
            await together.wait()
            seen.append((message.data, span_id()))

    async with asyncio.TaskGroup() as tasks:
        all_came = asyncio.Event()

        async def handle(message: Msg) -> None:
            tasks.create_task(work(message))
            if message.data == b"49":
                all_came.set()

        await client.subscribe("many", cb=handle)
        sent: dict[int, bytes] = {}
        for number in range(50):
            await client.publish("many", b"%d" % number)
            sent[telemetry.matching(kind=PRODUCER)[-1].context.span_id] = b"%d" % number
        await asyncio.wait_for(all_came.wait(), 20)

    handled = {span.context.span_id: span for span in telemetry.matching(kind=CONSUMER)}
    assert len(handled) == len(seen) == 50
    for data, span in seen:
        parent = handled[span].parent
        assert parent is not None
        assert sent[parent.span_id] == data


async def test_a_server_that_knows_no_headers_is_sent_none(
    telemetry: Telemetry, no_headers: Nats
) -> None:
    """The message goes out as the application wrote it; it is a hop all the same."""
    async with connected(no_headers) as client:
        subscription = await client.subscribe("plain")
        await client.publish("plain", b"value")
        message = await subscription.next_msg(20)

    assert (message.data, message.headers) == (b"value", None)
    assert kinds(telemetry) == ["CONSUMER", "PRODUCER"]


@pytest.fixture
def no_headers() -> Iterator[Nats]:
    class Old(Nats):
        def command(self, program: str) -> list[str]:
            path = self.folder / "nats.conf"
            path.write_text("no_header_support: true\n")
            return [*super().command(program), "-c", str(path)]

    with Old() as found:
        yield found


# -- streams ------------------------------------------------------------------------------------


async def delivered(client: Any, server: Nats, count: int) -> Any:
    """A pull consumer of a new stream that many messages are in."""
    context = client.jetstream()
    name = f"stream-{count}-{client.client_id}"
    await context.add_stream(name=name, subjects=[name])
    subscription = await context.pull_subscribe(name, "workers")
    with server.connected() as other:
        for number in range(1, count + 1):
            headers = as_headers({"traceparent": f"00-{number:032x}-{number:016x}-01"})
            other.publish(name, b"%d" % number, headers)
        other.settle()
    return subscription


async def test_a_list_that_is_fetched_is_handled_one_by_one(
    telemetry: Telemetry, client: Any, server: Nats
) -> None:
    """Each message's hop is the body of the loop over the list, which is the library's list."""
    subscription = await delivered(client, server, 4)
    inside = []
    while len(inside) < 4:
        batch = await subscription.fetch(4, timeout=20)
        assert isinstance(batch, list)
        for message in batch:
            inside.append((int(message.data), span_id()))
            await message.ack()
    await asyncio.sleep(0)

    spans = [(s.context.trace_id, s.context.span_id) for s in telemetry.matching(kind=CONSUMER)]
    assert inside == spans
    assert span_id() == 0


async def test_a_fetch_of_nothing_is_no_hop(
    telemetry: Telemetry, client: Any, server: Nats
) -> None:
    """It raises what it raises without the kit."""
    subscription = await delivered(client, server, 0)
    for count in (1, 5):
        with pytest.raises(TimeoutError):  # nats-py's own, or asyncio's where time is up sooner
            await subscription.fetch(count, timeout=0.05)

    assert telemetry.spans == []


async def test_a_message_that_comes_again_says_so(
    telemetry: Telemetry, client: Any, server: Nats
) -> None:
    """The span has the number of the delivery, from the second on."""
    subscription = await delivered(client, server, 1)
    for give in ("nak", "nak", "term"):
        [message] = await subscription.fetch(timeout=20)
        await getattr(message, give)()
    await subscription.unsubscribe()

    spans = telemetry.matching(kind=CONSUMER)
    assert [(s.attributes or {}).get(names.SPAN_DELIVERY) for s in spans] == [None, 2, 3]
    assert {span.context.trace_id for span in spans} == {1}
    assert {(s.attributes or {})[names.MESSAGING_MESSAGE_ID] for s in spans} == {"1"}


async def test_dwell_is_since_the_stream_took_the_message(
    telemetry: Telemetry, client: Any, server: Nats
) -> None:
    """Where the sender did not say when it sent, by the stream's clock."""
    before = time.time()
    subscription = await delivered(client, server, 1)
    await asyncio.sleep(0.05)
    [message] = await subscription.fetch(timeout=20)
    handled = time.time()
    await message.ack()
    await subscription.unsubscribe()

    (point,) = telemetry.points(names.QUEUE_DURATION)
    assert 0.05 <= point.sum <= handled - before


async def test_a_handler_s_message_is_acknowledged_for_it(
    telemetry: Telemetry, client: Any
) -> None:
    """A push consumer acknowledges after its handler, unless that fails; the hop has the error."""
    context = client.jetstream()
    await context.add_stream(name="push", subjects=["push"])
    handled: asyncio.Queue[bytes] = asyncio.Queue()
    failed = [False]

    async def handle(message: Msg) -> None:
        handled.put_nowait(message.data)
        if not failed[0]:
            failed[0] = True
            raise ValueError("on purpose")

    config = nats.js.api.ConsumerConfig(ack_wait=0.1)
    subscription = await context.subscribe("push", durable="handlers", cb=handle, config=config)
    await context.publish("push", b"value")
    assert [await asyncio.wait_for(handled.get(), 20) for _ in range(2)] == [b"value"] * 2
    async with asyncio.timeout(20):
        while (await subscription.consumer_info()).num_ack_pending:
            await asyncio.sleep(0.01)

    first, second = telemetry.matching(kind=CONSUMER)
    assert (first.attributes or {})[names.ERROR_TYPE] == "ValueError"
    assert names.ERROR_TYPE not in (second.attributes or {})


async def test_a_stream_that_is_not_waited_for_ends_the_hop(
    telemetry: Telemetry, client: Any
) -> None:
    """`publish_async` is a send until its future is done, which is the library's own."""
    context = client.jetstream()
    if not hasattr(context, "publish_async"):
        pytest.skip("nats-py has it since 2.8")
    await context.add_stream(name="later", subjects=["later"])
    future = await context.publish_async("later", b"value")
    early = list(telemetry.spans)
    assert (await future).stream == "later"
    await asyncio.sleep(0)

    assert early == []
    assert kinds(telemetry) == ["PRODUCER"]


@pytest.mark.parametrize("way", ["next_msg", "messages"])
async def test_a_push_consumer_may_be_asked(telemetry: Telemetry, client: Any, way: str) -> None:
    """Without a handler it hands out one by one; whoever leaves it has handled the last."""
    context = client.jetstream()
    name = f"asked-{way}-{client.client_id}"
    await context.add_stream(name=name, subjects=[name])
    subscription = await context.subscribe(name, durable="workers")
    inside = []
    for _ in range(2):
        await context.publish(name, b"value")
        if way == "next_msg":
            message = await subscription.next_msg(20)
        else:
            message = await anext(subscription.messages)
        inside.append(span_id())
        await message.ack()
    await subscription.unsubscribe()

    spans = telemetry.matching(kind=CONSUMER)
    assert [span.context.span_id for span in spans] == inside
    assert span_id() == 0
    assert {(s.attributes or {})[names.MESSAGING_CONSUMER_GROUP] for s in spans} == {"workers"}
