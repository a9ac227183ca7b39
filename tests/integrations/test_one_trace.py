"""One saga that takes every transport in turn."""

from collections.abc import Iterator

import pytest
from opentelemetry import baggage
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, get_current_span

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.harness.aio_pika import AioPikaIterated, AioPikaProducer
from tests.contract.harness.aiokafka import AiokafkaGetone, AiokafkaProducer
from tests.contract.harness.celery import CeleryProducer, CeleryWorker
from tests.contract.harness.confluent_kafka import ConfluentPolled, ConfluentProducer
from tests.contract.harness.kafka_python import KafkaPythonConsumer, KafkaPythonProducer
from tests.contract.harness.nats import NatsCallback, NatsFetch, NatsProducer, NatsStreamProducer
from tests.contract.harness.paho_mqtt import PahoConsumer, PahoProducer
from tests.contract.harness.pika import PikaBlockingProducer
from tests.contract.harness.pika_consumers import PikaCallback
from tests.contract.harness.pulsar import PulsarProducer, PulsarReceive
from tests.contract.harness.redis import (
    RedisAsyncProducer,
    RedisAsyncReader,
    RedisProducer,
    RedisReader,
)
from tests.contract.harness.sqs import AiobotocoreProducer, BotocoreProducer
from tests.contract.harness.sqs_consumers import AiobotocoreConsumer, BotocoreConsumer
from tests.integrations.legs import Grpc, Http, Leg, Message, Outbox, Webhook

OUTBOUND = (SpanKind.CLIENT, SpanKind.PRODUCER)
INBOUND = (SpanKind.SERVER, SpanKind.CONSUMER)


def journey() -> list[Leg]:
    return [
        Http(),
        Grpc(),
        Message(AiokafkaProducer, AiokafkaGetone),
        Message(KafkaPythonProducer, KafkaPythonConsumer),
        Message(AioPikaProducer, AioPikaIterated),
        Message(PikaBlockingProducer, PikaCallback),
        Message(ConfluentProducer, ConfluentPolled),
        Message(NatsProducer, NatsCallback),
        Message(NatsStreamProducer, NatsFetch),
        Message(RedisProducer, RedisReader),
        Message(RedisAsyncProducer, RedisAsyncReader),
        Message(BotocoreProducer, BotocoreConsumer),
        Message(AiobotocoreProducer, AiobotocoreConsumer),
        Message(PahoProducer, PahoConsumer),
        Message(CeleryProducer, CeleryWorker),
        Message(PulsarProducer, PulsarReceive),
        Outbox(),
        Webhook(),
    ]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("tested", envelopes=["redis"]) as telemetry:
        yield telemetry


async def test_one_saga_through_every_transport(telemetry: Telemetry) -> None:
    """One unbroken trace, an edge for each hop at either side, the right dwell for each wait."""
    legs, arrived = journey(), []

    async def go(number: int) -> None:
        if number < len(legs):
            await legs[number].travel(lambda: go(number + 1))
        else:
            arrived.append((get_current_span().get_span_context().span_id, baggage.get_all()))

    with otel_kit.saga("ORD-1", "order"):
        await go(0)

    ((last, saga),) = arrived
    assert dict(saga) == {"saga.id": "ORD-1", "saga.name": "order"}
    assert {(span.attributes or {}).get(names.SAGA_ID) for span in telemetry.spans} == {"ORD-1"}
    assert_unbroken(telemetry.spans, last, legs)
    for transport in {leg.transport for leg in legs}:
        assert_counted(telemetry, transport, legs)


def assert_unbroken(spans: list[ReadableSpan], last: int, legs: list[Leg]) -> None:
    """From the last handler back to the first sender: a handler's span, its sender's, and so on."""
    by_id = {span.context.span_id: span for span in spans}
    parent: SpanContext | None = by_id[last].context
    for leg in reversed(legs):
        for kinds in (INBOUND, OUTBOUND):
            assert parent is not None, f"the trace begins behind {leg.transport}"
            span = by_id[parent.span_id]
            assert span.kind in kinds, f"{span.name} within {leg.transport}"
            parent = span.parent
    assert parent is None


def assert_counted(telemetry: Telemetry, transport: str, legs: list[Leg]) -> None:
    """Each hop once at either side, and the waits of the messages within their bounds."""
    own = [leg for leg in legs if leg.transport == transport]
    within = sum(leg.within == transport for leg in legs)
    edges = telemetry.points(names.HOP_DURATION, transport=transport)
    outbound = [each for each in edges if each.labels["side"] in ("client", "producer")]
    inbound = [each for each in edges if each.labels["side"] in ("server", "consumer")]
    assert {(e.labels["client"], "error_class" in e.labels) for e in edges} == {("tested", False)}
    assert {each.labels["server"] for each in inbound} == {"tested"}
    assert sum(each.count for each in outbound) == len(own)
    assert sum(each.count for each in inbound) == len(own) + within

    waits = telemetry.points(names.QUEUE_DURATION, transport=transport)
    assert sum(each.count for each in waits) == sum(leg.latest is not None for leg in own)
    assert sum(leg.earliest for leg in own) <= sum(each.sum for each in waits)
    assert sum(each.sum for each in waits) <= sum(leg.latest or 0 for leg in own)
