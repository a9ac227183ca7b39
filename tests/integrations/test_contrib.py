"""OpenTelemetry's own instrumentations, chosen by `prefer="contrib"` or by the application."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fastapi
import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.kafka import KafkaInstrumentor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.base import Behaviour, ServerHarness
from otel_kit.testing.contract.contexts import from_kit
from otel_kit.testing.contract.http_client import HttpClient
from otel_kit.testing.contract.messaging import ConsumerHarness, ProducerHarness
from tests.contract.harness.aio_pika import AioPikaCallback, AioPikaProducer
from tests.contract.harness.aiohttp import AiohttpClient, AiohttpServer
from tests.contract.harness.aiokafka import AiokafkaIterated, AiokafkaProducer
from tests.contract.harness.confluent_kafka import ConfluentPolled, ConfluentProducer
from tests.contract.harness.django import DjangoAsgi, DjangoWsgi
from tests.contract.harness.flask import Flask
from tests.contract.harness.httpx import HttpxAsync, HttpxSync
from tests.contract.harness.kafka_python import KafkaPythonConsumer, KafkaPythonProducer
from tests.contract.harness.pika import PikaBlockingProducer
from tests.contract.harness.pika_consumers import PikaCallback, PikaConsume
from tests.contract.harness.requests import Requests
from tests.contract.harness.sqs import AiobotocoreProducer, Boto3Producer
from tests.contract.harness.sqs_consumers import AiobotocoreConsumer, Boto3Consumer
from tests.contract.harness.starlette import FastApi, Starlette
from tests.contract.harness.urllib3 import Urllib3Manager, Urllib3Pool

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
Attributes = Mapping[str, AttributeValue]


@contextmanager
def bridged(*libraries: str, **options: Any) -> Iterator[Telemetry]:
    """OpenTelemetry's instrumentations of the libraries, with the kit around them."""
    with capture("tested", prefer="contrib", integrations=libraries, **options) as telemetry:
        yield telemetry


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, **labels)


def scope(library: str) -> str:
    """What OpenTelemetry's instrumentation of the library calls itself."""
    return f"opentelemetry.instrumentation.{library.replace('-', '_')}"


HTTP_CLIENTS = [HttpxSync, HttpxAsync, Requests, Urllib3Manager, Urllib3Pool, AiohttpClient]


@pytest.mark.parametrize("harness", HTTP_CLIENTS, ids=lambda h: h.__name__)
async def test_a_request_by_contribs_client_is_an_edge(harness: type[HttpClient]) -> None:
    """One CLIENT span, not ours, and one edge with the server's address and the error's class."""
    with bridged(harness.library) as telemetry:
        async with harness() as client:
            await client.request(Behaviour.OK)
            await client.request(Behaviour.THROTTLED)
            address = client.address

    labels = {"client": "tested", "server": address, "transport": "http", "operation": "GET"}
    assert [s.instrumentation_scope.name for s in telemetry.spans if s.instrumentation_scope] == [
        scope(harness.library)
    ] * 2
    assert hops(telemetry, side="client", **labels) == 2
    assert hops(telemetry, error_class="throttled", **labels) == 1


async def test_a_request_that_raises_is_counted_and_classed() -> None:
    """A refused connection, which contrib does not measure, is an edge of class connection."""
    with bridged("httpx") as telemetry:
        async with HttpxAsync() as client:
            with pytest.raises(httpx.ConnectError):
                await client.unreachable()

    assert hops(telemetry, side="client", error_class="connection") == 1


async def test_an_outgoing_request_by_contrib_carries_our_member() -> None:
    """The callee learns the caller's name whoever makes the span."""
    with bridged("httpx") as telemetry:
        async with HttpxAsync() as client:
            await client.request(Behaviour.OK)

    span_id = telemetry.span(kind=CLIENT).context.span_id
    assert client.seen[0].headers["tracestate"] == f"otelkit=c:tested;p:{span_id:016x}"


@pytest.mark.parametrize(
    ("producer", "consumer", "spans"),
    [
        (KafkaPythonProducer, KafkaPythonConsumer, 2),
        (AiokafkaProducer, AiokafkaIterated, 2),
        (AioPikaProducer, AioPikaCallback, 2),
        (PikaBlockingProducer, PikaCallback, 3),  # two of them for one send
        (PikaBlockingProducer, PikaConsume, 3),
    ],
    ids=["kafka-python", "aiokafka", "aio-pika", "pika", "pika, iterated"],
)
async def test_a_message_by_contrib_is_two_edges(
    producer: type[ProducerHarness], consumer: type[ConsumerHarness], spans: int
) -> None:
    """A send and a receipt are counted once each, the latter with its sender and its dwell."""
    with bridged(producer.library) as telemetry:
        async with producer() as sender, consumer(topic=sender.topic) as receiver:
            await sender.send()
            await receiver.next()

    topic = sender.topic
    assert len(telemetry.spans) == spans
    assert hops(telemetry) == 2
    broker = producer.transport
    edge = {"client": "tested", "transport": broker}
    assert hops(telemetry, side="producer", server=broker, operation=f"send {topic}", **edge) == 1
    assert (
        hops(telemetry, side="consumer", server="tested", operation=f"process {topic}", **edge) == 1
    )
    assert telemetry.count(names.QUEUE_DURATION, destination=topic, **edge) == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="continued", destination=topic) == 1


async def test_a_message_by_contribs_confluent_client_is_two_edges() -> None:
    """It links the message's span to its sender's, and does not say what delivery came to."""
    with bridged("confluent-kafka") as telemetry:
        async with ConfluentProducer() as sender, ConfluentPolled(topic=sender.topic) as receiver:
            await sender.send()
            await receiver.next()

    topic = sender.topic
    made_by = {s.instrumentation_scope.name for s in telemetry.spans if s.instrumentation_scope}
    assert made_by == {scope("confluent-kafka")}
    assert hops(telemetry, side="producer", server="kafka", operation=f"send {topic}") == 1
    assert hops(telemetry, side="consumer", operation=f"process {topic}") == 1
    assert hops(telemetry) == 2


async def test_a_message_by_contribs_boto3sqs_is_two_edges() -> None:
    """The calls of AWS that its other instrumentation spans are no hops; the sender is a link."""
    with bridged("boto3") as telemetry:
        async with Boto3Producer() as sender, Boto3Consumer(topic=sender.topic) as receiver:
            await sender.send()
            await receiver.next()
            await receiver.here(receiver.handled)

    assert len(telemetry.matching(kind=CLIENT)) == 3
    assert hops(telemetry, side="producer", operation=f"send {sender.topic}") == 1
    assert hops(telemetry, side="consumer", operation=f"process {sender.topic}") == 1
    assert hops(telemetry) == 2


async def test_contribs_aiobotocore_leaves_sqs_to_the_kit() -> None:
    """It carries no context there; its CLIENT spans are beside the kit's own, and are no hops."""
    with bridged("aiobotocore") as telemetry:
        sender = AiobotocoreProducer()
        async with sender, AiobotocoreConsumer(topic=sender.topic) as receiver:
            await sender.send()
            await receiver.next()

    produced, consumed = telemetry.span(kind=PRODUCER), telemetry.span(kind=CONSUMER)
    assert consumed.parent is not None
    assert consumed.parent.span_id == produced.context.span_id
    assert len(telemetry.matching(kind=CLIENT)) == 2
    assert hops(telemetry) == 2


@pytest.mark.parametrize(
    "consumer", [KafkaPythonConsumer, AiokafkaIterated, AioPikaCallback, PikaCallback]
)
async def test_a_message_without_context_is_counted_as_lost(
    consumer: type[ConsumerHarness],
) -> None:
    """The receipt of an uninstrumented sender's message is an edge of an unknown client."""
    with bridged(consumer.library) as telemetry:
        async with consumer() as receiver:
            await receiver.deliver()
            await receiver.next()

    assert hops(telemetry, client="unknown", side="consumer") == hops(telemetry) == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="missing") == 1


async def test_each_message_of_contribs_getmany_counts_once() -> None:
    """Of its spans for the poll, for the topic and for each message only the last are hops."""
    with bridged("aiokafka") as telemetry:
        async with AiokafkaIterated() as consumer:
            await consumer.deliver(from_kit("shop"))
            await consumer.deliver(from_kit("web"))
            await consumer.deliver()
            await consumer.batch(3)

    for client in ("shop", "web", "unknown"):
        assert hops(telemetry, side="consumer", client=client) == 1
    assert hops(telemetry) == 3


async def test_a_message_that_contrib_received_is_not_counted_again() -> None:
    """`process(record)` gives the handler its span; the message was counted at its receipt."""
    with bridged("kafka-python") as telemetry:
        async with KafkaPythonConsumer() as consumer:
            await consumer.deliver(from_kit("shop"))
            record = await consumer.next()
            with otel_kit.process(record):
                pass

    assert len(telemetry.matching(kind=CONSUMER)) == 2
    assert hops(telemetry, client="shop") == 1


async def test_fastapis_native_span_is_the_one_server_span() -> None:
    """With prefer="contrib" FastAPI's own telemetry makes the span, and the kit the edge."""
    with bridged("fastapi", "starlette") as telemetry:
        harness = FastApi()
        make = harness.application

        def app() -> fastapi.FastAPI:
            made: fastapi.FastAPI = make()
            made._telemetry["tracer_provider"] = telemetry.tracer_provider
            return made

        harness.application = app  # type: ignore[method-assign]
        async with harness:
            await harness.request(Behaviour.OK, headers=from_kit("web"))
            await harness.request(Behaviour.SERVER_ERROR)

    ok, failed = telemetry.matching(kind=SERVER)
    assert ok.instrumentation_scope is not None
    assert ok.instrumentation_scope.name == "fastapi"
    edge = {"server": "tested", "transport": "http", "operation": FastApi.operation}
    assert hops(telemetry, client="web", **edge) == 1
    assert hops(telemetry, client="unknown", error_class="server_error", **edge) == 1
    assert hops(telemetry) == 2
    assert failed.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    "harness", [Starlette, Flask, DjangoWsgi, DjangoAsgi, AiohttpServer], ids=lambda h: h.__name__
)
async def test_a_request_to_contribs_server_is_an_edge(harness: type[ServerHarness]) -> None:
    """One SERVER span, not ours, and one edge with the caller's name."""
    with bridged(harness.library) as telemetry:
        async with harness() as server:
            await server.request(Behaviour.OK, headers=from_kit("web"))

    made_by = telemetry.span(kind=SERVER).instrumentation_scope
    assert made_by is not None
    assert made_by.name == scope(harness.library)
    assert hops(telemetry, client="web", operation=harness.operation) == hops(telemetry) == 1


@pytest.mark.parametrize("first", ["application", "kit"])
async def test_an_application_that_activates_contrib_has_one_span_a_request(first: str) -> None:
    """Ours steps aside for an instrumentor of the application's, before or after `instrument()`."""
    instrumentor = HTTPXClientInstrumentor()
    if first == "application":
        instrumentor.instrument()
    try:
        with capture("tested", integrations=["httpx"]) as telemetry:
            if first == "kit":
                instrumentor.instrument()
            instrumentor_tracer(instrumentor, telemetry)
            async with HttpxAsync() as client:
                await client.request(Behaviour.OK)
    finally:
        instrumentor.uninstrument()

    assert len(telemetry.spans) == 1
    assert hops(telemetry, side="client") == 1


def instrumentor_tracer(instrumentor: HTTPXClientInstrumentor, telemetry: Telemetry) -> None:
    """What a global provider would do: the instrumentor's spans go to this telemetry."""
    instrumentor.uninstrument()
    instrumentor.instrument(tracer_provider=telemetry.tracer_provider)


@pytest.mark.parametrize("first", ["application", "kit"])
async def test_an_application_that_activates_contrib_kafka_has_one_span_a_message(
    first: str,
) -> None:
    """The same for kafka-python, on both sides."""
    instrumentor = KafkaInstrumentor()
    telemetry_of_application = Telemetry("tested")
    provider = telemetry_of_application.tracer_provider
    if first == "application":
        instrumentor.instrument(tracer_provider=provider)
    try:
        with capture("tested", integrations=["kafka-python"]) as telemetry:
            if first == "kit":
                instrumentor.instrument(tracer_provider=provider)
            async with KafkaPythonProducer() as producer, KafkaPythonConsumer() as consumer:
                await producer.send()
                await consumer.deliver()
                await consumer.next()
    finally:
        instrumentor.uninstrument()

    assert telemetry.spans == []
    assert len(telemetry_of_application.spans) == 2


async def test_after_the_kit_the_applications_instrumentor_is_still_there() -> None:
    """The kit takes back its own wrapper only, also from below one that came later."""
    instrumentor = HTTPXClientInstrumentor()
    try:
        with capture("tested", integrations=["httpx"]) as telemetry:
            instrumentor.instrument(tracer_provider=telemetry.tracer_provider)
        async with HttpxAsync() as client:
            await client.request(Behaviour.OK)
    finally:
        instrumentor.uninstrument()

    assert len(telemetry.spans) == 1


def test_contrib_is_asked_for_the_stable_names() -> None:
    """`prefer="contrib"` sets OpenTelemetry's opt-in unless the environment has one."""
    program = (
        "import os, httpx\n"
        "from otel_kit.testing import capture\n"
        "with capture('x', integrations=['httpx']): pass\n"
        "print(os.environ.get('OTEL_SEMCONV_STABILITY_OPT_IN'))\n"
        "with capture('x', prefer='contrib', integrations=['httpx']): pass\n"
        "print(os.environ['OTEL_SEMCONV_STABILITY_OPT_IN'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={}
    )

    assert done.stdout.split() == ["None", "http,database"]
