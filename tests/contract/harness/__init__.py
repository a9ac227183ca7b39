"""One harness per integration: all that a new library must write to be held to the contract."""

from otel_kit.testing.contract.base import ClientHarness, ServerHarness
from otel_kit.testing.contract.messaging import (
    ConsumerHarness,
    LogConsumerHarness,
    ProducerHarness,
    QueueConsumerHarness,
)
from tests.contract.harness import confluent_kafka, retries, sqs_consumers
from tests.contract.harness.aio_pika import (
    AioPikaCallback,
    AioPikaGet,
    AioPikaIterated,
    AioPikaProducer,
)
from tests.contract.harness.aiohttp import AiohttpClient, AiohttpServer
from tests.contract.harness.aiokafka import AiokafkaGetone, AiokafkaIterated, AiokafkaProducer
from tests.contract.harness.breakers import (
    Aiobreaker,
    AiobreakerAsync,
    BreakerHarness,
    Circuitbreaker,
    CircuitbreakerAsync,
    Purgatory,
    PurgatoryAsync,
    Pybreaker,
    PybreakerBlock,
)
from tests.contract.harness.celery import CeleryProducer, CeleryWorker
from tests.contract.harness.confluent_kafka import ConfluentProducer
from tests.contract.harness.django import DjangoAsgi, DjangoWsgi
from tests.contract.harness.flask import Flask
from tests.contract.harness.grpc import GrpcAio, GrpcAioServer, GrpcSync, GrpcSyncServer
from tests.contract.harness.httpx import HttpxAsync, HttpxSync
from tests.contract.harness.kafka_python import KafkaPythonConsumer, KafkaPythonProducer
from tests.contract.harness.nats import (
    NatsCallback,
    NatsFetch,
    NatsIterated,
    NatsNextMsg,
    NatsProducer,
    NatsPush,
    NatsStreamProducer,
)
from tests.contract.harness.paho_mqtt import PahoConsumer, PahoProducer
from tests.contract.harness.pika import PikaAsyncioProducer, PikaBlockingProducer
from tests.contract.harness.pika_consumers import PikaCallback, PikaConsume, PikaGet, PikaSelect
from tests.contract.harness.pulsar import (
    PulsarAsyncio,
    PulsarAsyncioProducer,
    PulsarCallbackProducer,
    PulsarListener,
    PulsarProducer,
    PulsarReceive,
)
from tests.contract.harness.redis import (
    RedisAsyncProducer,
    RedisAsyncReader,
    RedisProducer,
    RedisReader,
)
from tests.contract.harness.requests import Requests
from tests.contract.harness.retries import RetryHarness
from tests.contract.harness.sqs import AiobotocoreProducer, Boto3Producer, BotocoreProducer
from tests.contract.harness.sqs_consumers import (
    Boto3Consumer,
    BotocoreConsumer,
)
from tests.contract.harness.starlette import FastApi, Starlette
from tests.contract.harness.strawberry import StrawberryAsgi
from tests.contract.harness.urllib3 import Urllib3Manager, Urllib3Pool
from tests.contract.harness.websockets import (
    WebsocketsAsync,
    WebsocketsAsyncServer,
    WebsocketsThread,
    WebsocketsThreadServer,
)

CLIENTS: list[type[ClientHarness]] = [
    AiohttpClient,
    HttpxSync,
    HttpxAsync,
    Requests,
    Urllib3Manager,
    Urllib3Pool,
    GrpcSync,
    GrpcAio,
    WebsocketsAsync,
    WebsocketsThread,
]
"""Libraries that send requests."""
SERVERS: list[type[ServerHarness]] = [
    AiohttpServer,
    FastApi,
    Starlette,
    Flask,
    DjangoWsgi,
    DjangoAsgi,
    StrawberryAsgi,
    GrpcSyncServer,
    GrpcAioServer,
    WebsocketsAsyncServer,
    WebsocketsThreadServer,
]
"""Libraries that answer requests."""
PRODUCERS: list[type[ProducerHarness]] = [
    KafkaPythonProducer,
    AiokafkaProducer,
    NatsProducer,
    NatsStreamProducer,
    PahoProducer,
    ConfluentProducer,
    BotocoreProducer,
    Boto3Producer,
    AiobotocoreProducer,
    AioPikaProducer,
    PikaBlockingProducer,
    PikaAsyncioProducer,
    PulsarProducer,
    PulsarCallbackProducer,
    PulsarAsyncioProducer,
    RedisProducer,
    RedisAsyncProducer,
    CeleryProducer,
]
"""Libraries that send messages."""
CONSUMERS: list[type[ConsumerHarness]] = [
    KafkaPythonConsumer,
    AiokafkaIterated,
    AiokafkaGetone,
    NatsIterated,
    NatsNextMsg,
    NatsCallback,
    NatsPush,
    NatsFetch,
    PahoConsumer,
    *confluent_kafka.CONSUMERS,
    BotocoreConsumer,
    Boto3Consumer,
    *sqs_consumers.AIOBOTOCORE,
    AioPikaCallback,
    AioPikaIterated,
    AioPikaGet,
    PikaCallback,
    PikaSelect,
    PikaConsume,
    PikaGet,
    PulsarReceive,
    PulsarListener,
    PulsarAsyncio,
    RedisReader,
    RedisAsyncReader,
    CeleryWorker,
]
"""Libraries that receive messages, one harness for each way of handing them out."""
LOGS = [each for each in CONSUMERS if issubclass(each, LogConsumerHarness)]
"""Those that read a log."""
QUEUES = [each for each in CONSUMERS if issubclass(each, QueueConsumerHarness)]
"""Those that take messages from a queue, and acknowledge them."""

BREAKERS: list[type[BreakerHarness]] = [
    Aiobreaker,
    AiobreakerAsync,
    Circuitbreaker,
    CircuitbreakerAsync,
    Purgatory,
    PurgatoryAsync,
    Pybreaker,
    PybreakerBlock,
]
"""Circuit breaker libraries, one harness for each way of guarding a call."""
RETRIES: list[RetryHarness] = [
    RetryHarness("tenacity", retries.tenacity_call),
    RetryHarness("tenacity", retries.tenacity_decorated),
    RetryHarness("tenacity", retries.tenacity_decorated_async),
    RetryHarness("tenacity", retries.tenacity_loop),
    RetryHarness("tenacity", retries.tenacity_loop_async),
    RetryHarness("tenacity", retries.tenacity_loop_to_its_end),
    RetryHarness("stamina", retries.stamina_decorated),
    RetryHarness("stamina", retries.stamina_decorated_async),
    RetryHarness("stamina", retries.stamina_caller),
    RetryHarness("stamina", retries.stamina_loop_async),
]
"""Libraries that retry, one harness for each form of it."""
