"""What is particular to kafka-python: the `for` statement, threads, and its futures."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SPAN_ID
from tests.contract.harness.broker import Kafka
from tests.contract.harness.kafka_python import KafkaPythonConsumer, KafkaPythonProducer

CONSUMER = SpanKind.CONSUMER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """kafka-python instrumented, and nothing else."""
    with capture("tested", integrations=["kafka-python"]) as found:
        yield found


def current_trace_id() -> int:
    return trace.get_current_span().get_span_context().trace_id


async def test_the_body_of_for_is_the_handler(telemetry: Telemetry) -> None:
    """Each turn is in the trace of its message; the end of the loop leaves no context behind."""
    async with KafkaPythonConsumer() as harness:
        for number in (1, 2, 3):
            await harness.deliver({"traceparent": f"00-{number:032x}-{SPAN_ID:016x}-01"})

        def loop() -> tuple[list[int], bool]:
            before = context.get_current()
            harness._consumer.config["consumer_timeout_ms"] = 200
            seen = [current_trace_id() for _ in harness._consumer]
            return seen, context.get_current() is before

        seen, clean = await harness.here(loop)

    assert seen == [1, 2, 3]
    assert clean
    assert len(telemetry.matching(kind=CONSUMER)) == 3


async def test_an_error_out_of_the_loop_is_the_messages(telemetry: Telemetry) -> None:
    """A consumer closed in a `finally` was closed by the handler's error."""
    async with KafkaPythonConsumer() as harness:
        await harness.deliver()

        def loop() -> None:
            try:
                for _ in harness._consumer:
                    raise TimeoutError("the database")
            finally:
                harness._consumer.close()

        with pytest.raises(TimeoutError, match="the database"):
            await harness.here(loop)

    assert telemetry.count(names.HOP_DURATION, side="consumer", error_class="timeout") == 1


async def test_a_lost_connection_is_classed(telemetry: Telemetry) -> None:
    """A delivery that fails for the network counts as connection."""
    cluster = Kafka()
    async with KafkaPythonProducer(cluster) as harness:
        await harness.send_refused("NETWORK_EXCEPTION")

    assert telemetry.count(names.HOP_DURATION, side="producer", error_class="connection") == 1
    cluster.close()


async def test_the_future_is_the_librarys_own(telemetry: Telemetry) -> None:
    """`send` returns what it returns, and the application's callbacks are called as ever."""
    async with KafkaPythonProducer() as harness:
        called: list[Any] = []

        def send() -> Any:
            future = harness._producer.send(harness.topic, b"value")
            future.add_callback(called.append)
            return future.get(10)

        metadata = await asyncio.to_thread(send)

    assert metadata.topic == harness.topic
    assert called == [metadata]
    assert telemetry.count(names.HOP_DURATION, side="producer") == 1
