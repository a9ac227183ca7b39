"""Request and reply over each broker: one round trip, whatever carries its two messages."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names, request_reply
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.messaging import ConsumerHarness, ProducerHarness
from tests.contract.harness.aio_pika import AioPikaIterated, AioPikaProducer
from tests.contract.harness.aiokafka import AiokafkaIterated, AiokafkaProducer
from tests.contract.harness.confluent_kafka import ConfluentPolled, ConfluentProducer
from tests.contract.harness.kafka_python import KafkaPythonConsumer, KafkaPythonProducer
from tests.contract.harness.nats import NatsIterated, NatsProducer
from tests.contract.harness.paho_mqtt import PahoConsumer, PahoProducer
from tests.contract.harness.pika import PikaBlockingProducer
from tests.contract.harness.pika_consumers import PikaCallback
from tests.contract.harness.pulsar import PulsarProducer, PulsarReceive
from tests.contract.harness.redis import RedisProducer, RedisReader
from tests.contract.harness.sqs import BotocoreProducer
from tests.contract.harness.sqs_consumers import BotocoreConsumer


class WithAttributes(BotocoreConsumer):
    wanted: ClassVar[Mapping[str, list[str]]] = {"MessageAttributeNames": ["All"]}


class Library(NamedTuple):
    """What sends and receives; `headers` are those of a message, as an application reads them."""

    producer: type[ProducerHarness]
    consumer: type[ConsumerHarness]
    headers: Callable[[Any], Any]

    def __str__(self) -> str:
        return self.producer.library


LIBRARIES = [
    Library(AiokafkaProducer, AiokafkaIterated, lambda message: message.headers),
    Library(KafkaPythonProducer, KafkaPythonConsumer, lambda message: message.headers),
    Library(ConfluentProducer, ConfluentPolled, lambda message: message.headers()),
    Library(AioPikaProducer, AioPikaIterated, lambda message: message.headers),
    Library(PikaBlockingProducer, PikaCallback, lambda properties: properties.headers),
    Library(NatsProducer, NatsIterated, lambda message: message.headers),
    Library(PahoProducer, PahoConsumer, lambda message: message.properties.UserProperty),
    Library(RedisProducer, RedisReader, lambda entry: entry[1]),
    Library(
        BotocoreProducer,
        WithAttributes,
        lambda message: {
            name: each["StringValue"] for name, each in message["MessageAttributes"].items()
        },
    ),
    Library(PulsarProducer, PulsarReceive, lambda message: message.properties()),
]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("prices", envelopes=["redis"], strict=True) as telemetry:
        yield telemetry


@pytest.fixture(params=LIBRARIES, ids=str)
def library(request: pytest.FixtureRequest) -> Library:
    found: Library = request.param
    return found


async def send(producer: ProducerHarness, headers: dict[str, str]) -> None:
    """Without headers, if there are none."""
    await producer.send(headers=producer.native_headers(headers) if headers else None)


async def answer(library: Library, asked: ConsumerHarness, to: str) -> None:
    """Answer one request."""
    async with library.producer(topic=to) as producer:
        message = await asked.next()
        with request_reply.reply(message) as reply:
            await send(producer, reply.headers)
    await asked.close()


async def ask(library: Library, topic: str, answers: ConsumerHarness) -> None:
    """Ask, and wait for the answer."""
    producer = library.producer(topic=topic)
    async with producer:
        with request_reply.request(producer.transport, producer.destination) as request:
            await send(producer, request.headers)
            answered = await answers.next()
            request.answered(library.headers(answered))
    await answers.close()


async def test_request_and_answer_are_one_round_trip(
    library: Library, telemetry: Telemetry
) -> None:
    """One CLIENT, one SERVER below it, and an edge that both sides count; no other hop."""
    async with library.consumer() as asked, library.consumer() as answers:
        answering = asyncio.create_task(answer(library, asked, answers.topic))
        await ask(library, asked.topic, answers)
        await answering

    client, server = telemetry.span(kind=SpanKind.CLIENT), telemetry.span(kind=SpanKind.SERVER)
    transport = library.producer.transport
    assert len(telemetry.spans) == 2
    assert server.parent is not None
    assert (server.context.trace_id, server.parent.span_id) == (
        client.context.trace_id,
        client.context.span_id,
    )
    assert (client.attributes or {})[names.PEER_NAME] == "prices"
    for side in ("client", "server"):
        edge = {"client": "prices", "server": "prices", "transport": transport, "side": side}
        assert telemetry.count(names.HOP_DURATION, **edge) == 1
    assert telemetry.count(names.HOP_DURATION) == 2
    assert telemetry.count(names.QUEUE_DURATION) == 0


async def test_an_answer_that_does_not_come_is_a_timeout(telemetry: Telemetry) -> None:
    async with AiokafkaProducer() as producer:
        request = request_reply.request("kafka", producer.topic, broker="127.0.0.1:9092")
        with suppress(TimeoutError), request as asking:
            await send(producer, asking.headers)
            raise TimeoutError

    client = telemetry.span()
    assert client.status.status_code is StatusCode.ERROR
    assert (client.attributes or {})[names.SERVER_ADDRESS] == "127.0.0.1"
    assert telemetry.count(names.HOP_DURATION, side="client", error_class="timeout") == 1


async def test_who_fails_to_answer_is_a_server_that_failed(telemetry: Telemetry) -> None:
    async with AiokafkaIterated() as asked, AiokafkaProducer(topic=asked.topic) as producer:
        with request_reply.request("kafka", asked.topic) as request:
            await send(producer, request.headers)
        message = await asked.next()
        with pytest.raises(ValueError, match="no price"), request_reply.reply(message):
            raise ValueError("no price")

    assert telemetry.count(names.HOP_DURATION, side="server", error_class="server_error") == 1


async def test_a_message_that_nobody_awaits_is_processed_as_ever(telemetry: Telemetry) -> None:
    """The answer to it, if there is one all the same, is a message of its own."""
    async with AiokafkaIterated() as asked, AiokafkaProducer(topic=asked.topic) as producer:
        await send(producer, {})
        message = await asked.next()
        async with AiokafkaProducer() as answers:
            with request_reply.reply(message) as reply:
                assert set(reply.headers) <= {names.SERVER_TIMING}
                await send(answers, {})

    assert [span.kind for span in telemetry.matching(kind=SpanKind.CONSUMER)] == [SpanKind.CONSUMER]
    assert len(telemetry.matching(kind=SpanKind.PRODUCER)) == 2


async def test_other_messages_within_are_hops_of_their_own(telemetry: Telemetry) -> None:
    """Of a request, and of the handling of one."""
    async with AiokafkaIterated() as asked, AiokafkaProducer(topic=asked.topic) as producer:
        with request_reply.request("kafka", asked.topic) as request:
            await send(producer, request.headers)
            async with AiokafkaProducer() as audit:
                await send(audit, {})
        message = await asked.next()
        async with AiokafkaProducer() as audit:
            with request_reply.reply(message):
                await send(audit, {})

    parents = {span.context.span_id: span.kind for span in telemetry.spans}
    sent = telemetry.matching(kind=SpanKind.PRODUCER)
    assert [span.parent and parents[span.parent.span_id] for span in sent] == [
        SpanKind.CLIENT,
        SpanKind.SERVER,
    ]


async def test_a_request_that_is_copied_on_is_awaited_by_nobody(telemetry: Telemetry) -> None:
    """A relay that copies all headers into a message of its own sends no request."""
    async with AiokafkaIterated() as asked, AiokafkaProducer(topic=asked.topic) as producer:
        with request_reply.request("kafka", asked.topic) as request:
            await send(producer, request.headers)
        await send(producer, request.headers)
        await asked.next()
        await asked.next()

    assert len(telemetry.matching(kind=SpanKind.SERVER)) == 1
    assert len(telemetry.matching(kind=SpanKind.CONSUMER)) == 1


async def test_without_telemetry_the_application_does_the_same() -> None:
    async with AiokafkaIterated() as asked, AiokafkaIterated() as answers:
        library = LIBRARIES[0]
        answering = asyncio.create_task(answer(library, asked, answers.topic))
        await ask(library, asked.topic, answers)
        await answering


def test_headers_that_nobody_can_read_cost_nothing(telemetry: Telemetry) -> None:
    with request_reply.request("kafka", "prices") as request:
        request.answered([(b"server-timing", b"\xff"), ("other", None)])

    assert telemetry.count(names.HOP_DURATION, side="client", server="prices") == 1
