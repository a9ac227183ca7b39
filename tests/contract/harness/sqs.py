"""SQS and those who send to it by its three clients in Python, with moto's server for AWS."""

import asyncio
import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar

import aiobotocore.session
import boto3
import botocore.session
from aiobotocore.config import AioConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_kit.testing.contract.messaging import (
    Broker,
    Headers,
    ProducerHarness,
)
from tests.servers.moto import Moto

T = TypeVar("T")
REFUSALS = {"no such queue": "client_error", "nobody there": "connection"}


# One each: they read long descriptions of AWS, and remember them.
botocore_session = cache(botocore.session.get_session)
boto3_session = cache(boto3.Session)
aiobotocore_session = cache(aiobotocore.session.get_session)


def options(url: str, config: Any = Config) -> dict[str, Any]:
    """What makes a client of whatever kind one of this server; it does not try again."""
    key = {"aws_access_key_id": "tested", "aws_secret_access_key": "tested"}
    once = config(retries={"total_max_attempts": 1})
    return {"endpoint_url": url, "region_name": "eu-west-1", "config": once, **key}


def attributes(headers: Mapping[str, str]) -> dict[str, Any]:
    """Message attributes."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in headers.items()}


class Sqs(Broker):
    """Queues, and an uninstrumented client of them."""

    def __init__(self) -> None:
        self.url = Moto.shared().url
        self.client = self.connect("sqs")

    def connect(self, service: str) -> Any:
        return botocore_session().create_client(service, **options(self.url))

    def ask(self, operation: str, **arguments: Any) -> Any:
        """Call a function of the client's, unseen."""
        with suppress_instrumentation():
            return getattr(self.client, operation)(**arguments)

    def topic(self) -> str:
        name = f"orders-{uuid.uuid4().hex[:12]}"
        self.ask("create_queue", QueueName=name)
        return name

    def queue(self, topic: str) -> str:
        """The queue's URL."""
        return f"{self.url}/123456789012/{topic}"

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        given = attributes({name: (value or b"").decode() for name, value in headers})
        self.ask(
            "send_message",
            QueueUrl=self.queue(topic),
            MessageBody="value",
            MessageAttributes=given,
        )

    def received(self, topic: str, count: int) -> list[Headers]:
        found: list[Headers] = []
        while len(found) < count:
            answer = self.ask(
                "receive_message",
                QueueUrl=self.queue(topic),
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                WaitTimeSeconds=5,
            )
            for message in answer["Messages"]:
                own = message.get("MessageAttributes", {})
                found.append([(name, each["StringValue"].encode()) for name, each in own.items()])
        return found

    def close(self) -> None: ...


class OnSqs:
    """Where the harnesses find their server; none of them harms it."""

    transport: ClassVar[str] = "aws_sqs"
    brokers = Sqs
    broker: Sqs
    topic: str

    @property
    def queue(self) -> dict[str, str]:
        return {"QueueUrl": self.broker.queue(self.topic)}


def body(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The message that the scenario wants, in SQS's words."""
    value = arguments.get("value", b"value")
    said: dict[str, Any] = {"MessageBody": value.decode() if isinstance(value, bytes) else value}
    if arguments.get("headers") is not None:
        said["MessageAttributes"] = arguments["headers"]
    return said


class _SqsProducer(OnSqs, ProducerHarness):
    refusals = REFUSALS
    unsendable = (5, ParamValidationError)
    headers_are_lists = False
    positional = False
    acknowledged = False

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        return attributes(headers)

    async def send_refused(self, why: str) -> BaseException:
        if why == "no such queue":
            self.topic += "-gone"
        else:
            await self.close()
            await self.connect("http://127.0.0.1:1")
        try:
            await self.send()
        except (ClientError, BotoCoreError) as error:
            return error
        raise AssertionError("the queue took the message")

    async def open(self) -> None:
        await self.connect(self.broker.url)

    async def connect(self, url: str) -> None:
        raise NotImplementedError


class BotocoreProducer(_SqsProducer):
    library = "botocore"

    async def connect(self, url: str) -> None:
        self._client = botocore_session().create_client("sqs", **options(url))

    async def close(self) -> None:
        self._client.close()

    async def send(self, **arguments: Any) -> None:
        message = body(arguments)
        await asyncio.to_thread(lambda: self._client.send_message(**self.queue, **message))


class Boto3Producer(_SqsProducer):
    """A resource."""

    library = "boto3"

    async def connect(self, url: str) -> None:
        self._resource = boto3_session().resource("sqs", **options(url))

    async def close(self) -> None:
        self._resource.meta.client.close()

    async def send(self, **arguments: Any) -> None:
        message = body(arguments)
        queue = self._resource.Queue(self.queue["QueueUrl"])
        await asyncio.to_thread(lambda: queue.send_message(**message))


class AiobotocoreProducer(_SqsProducer):
    library = "aiobotocore"

    async def connect(self, url: str) -> None:
        self._made = aiobotocore_session().create_client("sqs", **options(url, AioConfig))
        self._client = await self._made.__aenter__()

    async def close(self) -> None:
        await self._made.__aexit__(None, None, None)

    async def send(self, **arguments: Any) -> None:
        await self._client.send_message(**self.queue, **body(arguments))
