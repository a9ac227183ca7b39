"""What is particular to confluent-kafka: types written in C, delivery reports, lists of them."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition  # before the kit is at work
from confluent_kafka.error import ValueDeserializationError
from opentelemetry import trace
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID
from otel_kit.testing.contract.messaging import as_headers
from tests.contract.harness.broker import Kafka
from tests.contract.harness.confluent_kafka import ConfluentProducer
from tests.spans import handled, sent, trace_id

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """confluent-kafka instrumented, and nothing else."""
    with capture("tested", integrations=["confluent-kafka"]) as found:
        yield found


@pytest.fixture
def kafka() -> Kafka:
    return Kafka.shared()


@pytest.fixture
def topic(kafka: Kafka) -> str:
    return kafka.topic()


def config(kafka: Kafka, **options: Any) -> dict[str, Any]:
    named = {name.replace("_", "."): value for name, value in options.items()}
    return {"bootstrap.servers": kafka.bootstrap, **named}


def reading(kafka: Kafka, topic: str, kind: Callable[[Any], Any] = Consumer, **options: Any) -> Any:
    consumer = kind(config(kafka, group_id=f"readers-of-{topic}", fetch_wait_max_ms=10, **options))
    consumer.assign([TopicPartition(topic, 0, 0)])
    return consumer


# -- types that are written in C ------------------------------------------------------------------


def test_what_was_made_before_the_kit_is_covered(kafka: Kafka, topic: str) -> None:
    """A producer and a consumer of types imported earlier make hops from then on."""
    producer, consumer = Producer(config(kafka)), reading(kafka, topic)
    with capture("tested", integrations=["confluent-kafka"]) as telemetry:
        producer.produce(topic, b"value")
        assert producer.flush(10) == 0
        consumer.poll(10)
        inside = trace_id()
        consumer.close()

    assert telemetry.span(kind=PRODUCER).context.trace_id == inside
    assert (sent(telemetry), handled(telemetry)) == (1, 1)


def test_derived_classes_are_covered(telemetry: Telemetry, kafka: Kafka, topic: str) -> None:
    """One that overrides `produce` and calls it makes one hop; its own state is its own."""

    class Own(confluent_kafka.Producer):
        def __init__(self, options: dict[str, Any]) -> None:
            super().__init__(options)
            self.produced = 0

        def produce(self, *args: Any, **kwargs: Any) -> None:
            self.produced += 1
            super().produce(*args, **kwargs)

    producer = Own(config(kafka))
    producer.produce(topic, b"value")
    producer.flush(10)

    assert (producer.produced, sent(telemetry)) == (1, 1)


def test_the_types_are_sealed_again() -> None:
    """Nobody else can set what the kit has set, neither while it is at work nor afterwards."""
    with capture("tested", integrations=["confluent-kafka"]), pytest.raises(TypeError):
        Producer.produce = None  # type: ignore[method-assign,assignment]
    with pytest.raises(TypeError, match="immutable type"):
        Producer.produce = None  # type: ignore[method-assign,assignment]


def test_nothing_of_the_applications_is_kept_alive(
    telemetry: Telemetry, kafka: Kafka, topic: str
) -> None:
    """The kit refers to no client and to no message: the application decides when they go."""
    producer, consumer = Producer(config(kafka)), reading(kafka, topic)
    producer.produce(topic, b"value")
    producer.flush(10)
    message = consumer.poll(10)
    alone = object()

    referred = [sys.getrefcount(each) for each in (alone, producer, consumer, message)]
    assert len(set(referred)) == 1
    consumer.close()


# -- delivery reports -----------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["before", "after"])
@pytest.mark.parametrize("whose", ["message", "alias", "producer", "both"])
def test_the_applications_callback_is_called(
    kafka: Kafka, topic: str, whose: str, made: str
) -> None:
    """The message's own, else the producer's, once, with the library's own arguments."""
    said: list[tuple[str, Any, Any]] = []

    def on_delivery(name: str) -> Callable[[Any, Any], None]:
        return lambda error, message: said.append((name, error, message.topic()))

    options: dict[str, Any] = {"error_cb": print, "stats_cb": print}
    if whose in ("producer", "both"):
        options["on_delivery"] = on_delivery("producer's")
    own = {"message": "callback", "both": "callback", "alias": "on_delivery"}.get(whose)
    arguments: dict[str, Any] = {own: on_delivery("message's")} if own else {}
    early = Producer({**config(kafka), **options})
    with capture("tested", integrations=["confluent-kafka"]) as telemetry:
        producer = early if made == "before" else Producer({**config(kafka), **options})
        producer.produce(topic, b"value", **arguments)
        assert producer.flush(10) == 0

    assert said == [("message's" if own else "producer's", None, topic)]
    assert sent(telemetry) == 1
    assert "traceparent" in dict(kafka.received(topic, 1)[0])


def test_a_producer_that_reports_only_errors(
    telemetry: Telemetry, kafka: Kafka, topic: str
) -> None:
    """Of a message that is delivered nothing is heard, and its hop ends without an error."""
    said: list[Any] = []
    producer = Producer(config(kafka, delivery_report_only_error=True))
    producer.produce(topic, b"value", callback=lambda *report: said.append(report))
    assert telemetry.spans == []
    producer.flush(10)

    assert (said, sent(telemetry)) == ([], 1)
    assert sent(telemetry, error_class="unknown") == 0


def test_what_was_purged_was_cancelled(telemetry: Telemetry) -> None:
    """A message that the application takes back, or that finds no room, has a class of its own."""
    options = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    producer = Producer({**options, "queue.buffering.max.messages": 1})
    producer.produce("orders", b"value")
    with pytest.raises(BufferError):
        producer.produce("orders", b"value")
    producer.purge()
    producer.flush(10)

    assert sent(telemetry, error_class="cancelled") == 1
    assert sent(telemetry, error_class="throttled") == 1


async def test_a_lost_connection_is_classed(telemetry: Telemetry) -> None:
    """A delivery that fails for the network counts as connection, with the broker's name."""
    cluster = Kafka()
    async with ConfluentProducer(cluster) as harness:
        await harness.send_refused("NETWORK_EXCEPTION")

    assert sent(telemetry, error_class="connection") == 1
    attributes = telemetry.span(kind=PRODUCER).attributes or {}
    assert f"{attributes['server.address']}:{attributes['server.port']}" == cluster.bootstrap
    cluster.close()


def test_headers_may_be_a_dict(telemetry: Telemetry, kafka: Kafka, topic: str) -> None:
    """It arrives as it was given, the context beside it, and stays as it was."""
    headers = {"x-own": "1", "x-none": None}
    producer = Producer(config(kafka))
    producer.produce(topic, b"value", headers=headers)
    producer.flush(10)

    (arrived,) = kafka.received(topic, 1)
    assert arrived[:2] == [("x-own", b"1"), ("x-none", None)]
    assert "traceparent" in dict(arrived)
    assert headers == {"x-own": "1", "x-none": None}
    assert sent(telemetry) == 1


async def test_the_asynchronous_producer_is_let_alone(
    telemetry: Telemetry, kafka: Kafka, topic: str
) -> None:
    """It cannot carry headers: its messages arrive, without a hop."""
    producer = pytest.importorskip("confluent_kafka.aio").AIOProducer(config(kafka))
    delivered = await producer.produce(topic, b"value")
    await producer.flush()
    await delivered
    await producer.close()

    assert await asyncio.to_thread(kafka.received, topic, 1) == [[]]
    assert telemetry.spans == []


# -- consumers ------------------------------------------------------------------------------------


def test_serializers_and_deserializers(telemetry: Telemetry, kafka: Kafka, topic: str) -> None:
    """One hop each; what a deserializer refuses is an error of the message's."""

    def decode(raw: bytes, _context: object) -> str:
        return raw.decode("ascii")

    producer = confluent_kafka.SerializingProducer(
        {**config(kafka), "value.serializer": lambda value, _: value.encode()}
    )
    for value in ("fine", "grün"):
        producer.produce(topic, value=value)
    producer.flush(10)
    consumer = reading(
        kafka,
        topic,
        lambda options: confluent_kafka.DeserializingConsumer(
            {**options, "value.deserializer": decode}
        ),
    )
    assert consumer.poll(10).value() == "fine"
    with pytest.raises(ValueDeserializationError):
        consumer.poll(10)
    consumer.close()

    assert sent(telemetry) == handled(telemetry) == 2
    assert handled(telemetry, error_class="serialization") == 1


def test_an_event_is_no_message(telemetry: Telemetry, kafka: Kafka, topic: str) -> None:
    """The end of a partition, which comes as a message with an error, makes no hop."""
    kafka.deliver(topic, as_headers(SAMPLED))
    consumer = reading(kafka, topic, enable_partition_eof=True)
    seen = [consumer.poll(10).error() for _ in range(2)]
    inside = trace_id()
    consumer.close()

    assert seen[0] is None
    assert seen[1].code() == confluent_kafka.KafkaError._PARTITION_EOF
    assert (inside, handled(telemetry)) == (0, 1)


def test_an_error_out_of_a_loop_over_a_list_is_the_messages(
    telemetry: Telemetry, kafka: Kafka, topic: str
) -> None:
    """The body of `for message in consumer.consume()` is the handler."""
    for _ in range(2):
        kafka.deliver(topic, as_headers(SAMPLED))
    consumer = reading(kafka, topic)

    def loop() -> None:
        try:
            for number, _ in enumerate(consumer.consume(2, 10)):
                assert trace_id() == TRACE_ID
                if number:
                    raise TimeoutError("the database")
        finally:
            consumer.close()

    with pytest.raises(TimeoutError, match="the database"):
        loop()

    assert (handled(telemetry), handled(telemetry, error_class="timeout")) == (2, 1)


def test_a_batch_may_be_iterated_over(telemetry: Telemetry, kafka: Kafka, topic: str) -> None:
    """Within `process(messages)` that is no loop: they are one span, and each counts once."""
    for _ in range(2):
        kafka.deliver(topic, as_headers(SAMPLED))
    consumer = reading(kafka, topic)
    messages = consumer.consume(2, 10)
    with otel_kit.process(messages):
        inside = [trace.get_current_span().get_span_context().span_id for _ in messages]
    consumer.close()

    span = telemetry.span(kind=CONSUMER)
    assert inside == [span.context.span_id] * 2
    assert [link.context.span_id for link in span.links] == [SPAN_ID] * 2
    assert handled(telemetry) == 2


@pytest.mark.skipif(not hasattr(Consumer, "__enter__"), reason="it is none in this version")
def test_a_consumer_as_a_context_manager_ends_its_hop(
    telemetry: Telemetry, kafka: Kafka, topic: str
) -> None:
    """Leaving the block closes the consumer, and its message's hop with the error that left it."""
    kafka.deliver(topic, as_headers(SAMPLED))

    def handle() -> None:
        with reading(kafka, topic) as consumer:
            consumer.poll(10)
            raise TimeoutError("the database")

    with pytest.raises(TimeoutError):
        handle()

    assert handled(telemetry, error_class="timeout") == 1
    assert trace_id() == 0
