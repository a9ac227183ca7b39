"""What is particular to aiokafka: tasks, cancellation, futures nobody awaits, its two codecs."""

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aiokafka
import pytest
from aiokafka.errors import KafkaError
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID
from tests.contract.harness.aiokafka import AiokafkaIterated, AiokafkaProducer
from tests.contract.harness.broker import Kafka

CONSUMER = SpanKind.CONSUMER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """aiokafka instrumented, and nothing else."""
    with capture("tested", integrations=["aiokafka"]) as found:
        yield found


def in_trace(number: int) -> dict[str, str]:
    return {"traceparent": f"00-{number:032x}-{SPAN_ID:016x}-01"}


def current_trace_id() -> int:
    return trace.get_current_span().get_span_context().trace_id


def counted(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, side="consumer", **labels)


async def test_the_body_of_async_for_is_the_handler(telemetry: Telemetry) -> None:
    """Each turn of the loop is in the trace of its message, and nothing is left after the loop."""
    before = context.get_current()
    async with AiokafkaIterated() as harness:
        for number in (1, 2, 3):
            await harness.deliver(in_trace(number))
        seen = []
        async for _ in harness.consumer:
            await asyncio.sleep(0)
            seen.append(current_trace_id())
            if len(seen) == 3:
                break
        await harness.close()

        assert seen == [1, 2, 3]
        assert context.get_current() is before
    assert counted(telemetry) == 3


async def test_twenty_tasks_on_one_consumer_do_not_mix(telemetry: Telemetry) -> None:
    """Tasks that share a consumer each handle in the trace of their own message."""
    async with AiokafkaIterated() as harness:
        for number in range(1, 21):
            await harness.deliver(in_trace(number) | {"number": str(number)})
        all_have_one = asyncio.Barrier(20)

        async def handle() -> tuple[int, int]:
            record = await harness.consumer.getone()
            await all_have_one.wait()
            return int(dict(record.headers)["number"]), current_trace_id()

        seen = await asyncio.gather(*(handle() for _ in range(20)))
    assert sorted(seen) == [(number, number) for number in range(1, 21)]
    assert len({span.context.trace_id for span in telemetry.matching(kind=CONSUMER)}) == 20


async def test_a_message_given_to_a_task_counts_once(telemetry: Telemetry) -> None:
    """`create_task(handle(record))` with `process(record)` in it is one hop, in its own trace."""
    tracer = telemetry.tracer_provider.get_tracer("app")

    async def handle(record: Any) -> None:
        with otel_kit.process(record):
            await asyncio.sleep(0)
            tracer.start_span("work").end()

    async with AiokafkaIterated() as harness:
        for number in (1, 2, 3):
            await harness.deliver(in_trace(number))
        tasks = [asyncio.create_task(handle(await harness.next())) for _ in range(3)]
        await asyncio.gather(*tasks)

    assert counted(telemetry) == 3
    assert sorted(span.context.trace_id for span in telemetry.matching("work")) == [1, 2, 3]


async def test_wait_for_leaves_process_to_say_who_handles(telemetry: Telemetry) -> None:
    """Where `wait_for` asks in a task of its own, `process(record)` takes the message's span up."""
    async with AiokafkaIterated() as harness:
        before = context.get_current()
        await harness.deliver(SAMPLED)
        record = await asyncio.wait_for(harness.consumer.getone(), 10)
        with otel_kit.process(record):
            inside = current_trace_id()
        assert context.get_current() is before

    assert inside == TRACE_ID
    assert len(telemetry.spans) == 1
    assert counted(telemetry) == 1


async def test_a_loop_of_wait_for_ends_each_hop(telemetry: Telemetry) -> None:
    """The hop of a task that has gone ends when anybody asks for the next message."""
    async with AiokafkaIterated() as harness:
        for _ in range(3):
            await harness.deliver(SAMPLED)
        for _ in range(3):
            await asyncio.create_task(harness.consumer.getone())

    assert counted(telemetry) == len(telemetry.matching(kind=CONSUMER)) == 3


async def test_a_cancelled_loop_is_cancelled(telemetry: Telemetry) -> None:
    """Cancelling the task that handles a message ends its hop as cancelled, not as an error."""
    async with AiokafkaIterated() as harness:
        await harness.deliver(SAMPLED)
        handling = asyncio.Event()

        async def handle() -> None:
            try:
                async for _ in harness.consumer:
                    handling.set()
                    await asyncio.Event().wait()
            finally:
                await harness.consumer.stop()

        task = asyncio.create_task(handle())
        await handling.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert counted(telemetry, error_class="cancelled") == 1


async def test_a_cancelled_send_is_cancelled(telemetry: Telemetry) -> None:
    """Cancelling the future of a send ends its hop with class cancelled."""
    async with AiokafkaProducer() as harness:
        future = await harness._producer.send(harness.topic, b"value")
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future

    assert telemetry.count(names.HOP_DURATION, side="producer", error_class="cancelled") == 1


async def test_an_error_that_nobody_awaits_is_still_reported(telemetry: Telemetry) -> None:
    """Watching a send's future does not keep asyncio from telling of an error never retrieved."""
    cluster = Kafka()
    cluster.refuse("MESSAGE_TOO_LARGE", times=1000)
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, said: reported.append(said))
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=cluster.bootstrap)
    async with producer:
        future = await producer.send(cluster.topic(), b"value")
        await asyncio.wait([future])
        del future
        gc.collect()

    assert [isinstance(said["exception"], KafkaError) for said in reported] == [True]
    assert telemetry.count(names.HOP_DURATION, side="producer", error_class="client_error") == 1
    cluster.close()


def test_a_tuple_of_headers_leaves_with_its_context_where_it_may() -> None:
    """aiokafka without its C extension takes a tuple, and the context goes with it."""
    cluster = Kafka()
    topic = cluster.topic()
    program = f"""
import asyncio, aiokafka
from otel_kit.testing import capture
async def main():
    async with aiokafka.AIOKafkaProducer(bootstrap_servers={cluster.bootstrap!r}) as producer:
        await producer.send_and_wait({topic!r}, b"value", headers=(("x-own", b"1"),))
with capture("tested", integrations=["aiokafka"]):
    asyncio.run(main())
"""
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=30)

    (headers,) = cluster.received(topic, 1)
    assert sorted(name for name, _ in headers) == ["traceparent", "tracestate", "x-own"]
    cluster.close()
