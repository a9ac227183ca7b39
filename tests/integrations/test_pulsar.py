"""What is peculiar to Pulsar: batches, partitions, readers, dead letters, callbacks that fail."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pulsar
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing import capture
from tests.contract.harness.pulsar import PulsarBroker

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
PATIENCE = 10_000


@pytest.fixture
def broker() -> PulsarBroker:
    return PulsarBroker.shared()


@pytest.fixture
def client(broker: PulsarBroker) -> Iterator[Any]:
    log = pulsar.FileLogger(pulsar.LoggerLevel.Warn, str(broker.server.folder / "client.log"))
    client = pulsar.Client(broker.server.url, logger=log)
    yield client
    client.close()


def subscribed(client: Any, topic: Any, **options: Any) -> Any:
    earliest = pulsar.InitialPosition.Earliest
    shared_by_all = pulsar.ConsumerType.Shared
    return client.subscribe(
        topic, "workers", consumer_type=shared_by_all, initial_position=earliest, **options
    )


def test_who_iterates_over_a_batch_handles_its_messages_one_by_one(
    broker: PulsarBroker, client: Any
) -> None:
    """Each message of `batch_receive` is a hop of its own in the loop over it."""
    topic = broker.topic()
    policy = pulsar.ConsumerBatchReceivePolicy(2, 1024, PATIENCE)
    with capture(integrations=["pulsar"]) as telemetry:
        consumer = subscribed(client, topic, batch_receive_policy=policy)
        for _ in range(2):
            broker.deliver(topic, [("traceparent", TRACEPARENT.encode())])
        for message in consumer.batch_receive():
            consumer.acknowledge(message)
        consumer.close()

    spans = telemetry.matching(kind=SpanKind.CONSUMER)
    assert [each.context.trace_id for each in spans] == [TRACE_ID] * 2


def test_a_reader_reads_without_a_group(broker: PulsarBroker, client: Any) -> None:
    """A message that a reader hands out continues its trace."""
    topic = broker.topic()
    broker.deliver(topic, [("traceparent", TRACEPARENT.encode())])
    with capture(integrations=["pulsar"]) as telemetry:
        reader = client.create_reader(topic, pulsar.MessageId.earliest)
        reader.read_next(PATIENCE)
        reader.close()

    assert telemetry.span(kind=SpanKind.CONSUMER).context.trace_id == TRACE_ID


def test_a_dead_letter_continues_the_trace(broker: PulsarBroker, client: Any) -> None:
    """What was given back too often is a hop of the same trace where dead letters are read."""
    topic = broker.topic()
    policy = pulsar.ConsumerDeadLetterPolicy(1, f"{topic}-dead", "undertakers")
    with capture(integrations=["pulsar"]) as telemetry:
        consumer = subscribed(
            client, topic, dead_letter_policy=policy, negative_ack_redelivery_delay_ms=20
        )
        dead = subscribed(client, f"{topic}-dead")
        broker.deliver(topic, [("traceparent", TRACEPARENT.encode())])
        for _ in range(2):
            consumer.negative_acknowledge(consumer.receive(PATIENCE))
        with pytest.raises(pulsar.exceptions.Timeout):
            consumer.receive(200)
        dead.acknowledge(dead.receive(PATIENCE))
        dead.close()

    spans = telemetry.matching(kind=SpanKind.CONSUMER)
    assert [each.context.trace_id for each in spans] == [TRACE_ID] * 3
    deliveries = [(each.attributes or {}).get(names.SPAN_DELIVERY) for each in spans]
    assert deliveries == [None, 2, None]


def test_a_failed_send_tells_its_callback_and_its_span(broker: PulsarBroker, client: Any) -> None:
    """The application's callback gets the result; the span is an error of its class."""
    told: Future[Any] = Future()
    with capture(integrations=["pulsar"]) as telemetry:
        producer = client.create_producer(broker.topic())
        producer.close()
        producer.send_async(b"value", lambda result, message_id: told.set_result(result))
        assert told.result(10) == pulsar.Result.AlreadyClosed

    span = telemetry.span(kind=SpanKind.PRODUCER)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[names.SPAN_ERROR_CLASS] == "connection"


@pytest.mark.parametrize(
    ("name", "topic"),
    [("a-partition-3", "a"), ("a", "a"), ("a-partition-x", "a-partition-x")],
)
def test_a_partition_is_no_topic(name: str, topic: str) -> None:
    """The number of a partition is left out of a destination's name."""
    from otel_kit.integrations.pulsar import _topic

    assert _topic(name) == topic
