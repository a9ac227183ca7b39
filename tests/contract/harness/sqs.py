"""SQS by its three clients in Python, with moto's server for AWS."""

import asyncio
import json
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

from otel_kit.testing.contract.loops import TaskLoop, ThreadLoop
from otel_kit.testing.contract.messaging import (
    Broker,
    Headers,
    ProducerHarness,
    QueueConsumerHarness,
)
from tests.servers.moto import Moto

T = TypeVar("T")
REFUSALS = {"no such queue": "client_error", "nobody there": "connection"}


# One each: they read long descriptions of AWS, and remember them.
_botocore = cache(botocore.session.get_session)
_boto3 = cache(boto3.Session)
_aiobotocore = cache(aiobotocore.session.get_session)


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
        return _botocore().create_client(service, **options(self.url))

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


class _OnSqs:
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


class _SqsProducer(_OnSqs, ProducerHarness):
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
        self._client = _botocore().create_client("sqs", **options(url))

    async def close(self) -> None:
        self._client.close()

    async def send(self, **arguments: Any) -> None:
        message = body(arguments)
        await asyncio.to_thread(lambda: self._client.send_message(**self.queue, **message))


class Boto3Producer(_SqsProducer):
    """A resource."""

    library = "boto3"

    async def connect(self, url: str) -> None:
        self._resource = _boto3().resource("sqs", **options(url))

    async def close(self) -> None:
        self._resource.meta.client.close()

    async def send(self, **arguments: Any) -> None:
        message = body(arguments)
        queue = self._resource.Queue(self.queue["QueueUrl"])
        await asyncio.to_thread(lambda: queue.send_message(**message))


class AiobotocoreProducer(_SqsProducer):
    library = "aiobotocore"

    async def connect(self, url: str) -> None:
        self._made = _aiobotocore().create_client("sqs", **options(url, AioConfig))
        self._client = await self._made.__aenter__()

    async def close(self) -> None:
        await self._made.__aexit__(None, None, None)

    async def send(self, **arguments: Any) -> None:
        await self._client.send_message(**self.queue, **body(arguments))


class _SqsConsumer(_OnSqs, QueueConsumerHarness):
    """A loop over what was received, with one message each time."""

    batches = True
    dead_letters = True
    restarts = False
    handle: str
    wanted: ClassVar[Mapping[str, list[str]]] = {}
    """What the application asks for besides the body."""

    async def batch(self, count: int) -> list[Any]:
        raise NotImplementedError

    async def crash(self) -> None:
        """Long enough: the message's visibility timeout is up."""
        await asyncio.to_thread(self._expire)
        await self.close()

    async def give_back(self) -> None:
        await asyncio.to_thread(self._expire)

    def _expire(self) -> None:
        self.broker.ask(
            "change_message_visibility",
            **self.queue,
            ReceiptHandle=self.handle,
            VisibilityTimeout=0,
        )

    async def acknowledge(self) -> None:
        await asyncio.to_thread(
            self.broker.ask, "delete_message", **self.queue, ReceiptHandle=self.handle
        )

    async def reject(self) -> str:
        dead = self.broker.topic()
        policy = {"deadLetterTargetArn": f"arn:aws:sqs:eu-west-1:123456789012:{dead}"}
        redrive = json.dumps({**policy, "maxReceiveCount": 1})
        self.broker.ask("set_queue_attributes", **self.queue, Attributes={"RedrivePolicy": redrive})
        await self.give_back()
        await self.nothing()
        return dead

    def value(self, message: Any) -> bytes:
        self.handle = message["ReceiptHandle"]
        found: str = message["Body"]
        return found.encode()


class BotocoreConsumer(ThreadLoop, _SqsConsumer):
    library = "botocore"

    _loop: Any = iter(())

    def connect(self) -> None:
        self._client = _botocore().create_client("sqs", **options(self.broker.url))

    def _receive(self, count: int, wait: int) -> Any:
        asking = {"MaxNumberOfMessages": count, "WaitTimeSeconds": wait, **self.wanted}
        return self._client.receive_message(**self.queue, **asking).get("Messages", [])

    async def next(self) -> Any:
        def step() -> Any:
            message = next(self._loop, None)
            while message is None:
                self._loop = iter(self._receive(1, 5))
                message = next(self._loop, None)
            self.value(message)
            return message

        return await self.here(step)

    async def nothing(self) -> None:
        assert list(await self.here(lambda: self._receive(1, 0))) == []

    async def batch(self, count: int) -> list[Any]:
        messages: list[Any] = await self.here(lambda: self._receive(count, 5))
        return messages if count > 1 else messages[:]

    def leave(self) -> None:
        self._loop = iter(())
        self._client.close()


class Boto3Consumer(BotocoreConsumer):
    """A queue as a resource, and its messages."""

    library = "boto3"

    def connect(self) -> None:
        resource = _boto3().resource("sqs", **options(self.broker.url))
        self._queue = resource.Queue(self.queue["QueueUrl"])
        self._client = resource.meta.client

    def _receive(self, count: int, wait: int) -> Any:
        asking = {"MaxNumberOfMessages": count, "WaitTimeSeconds": wait, **self.wanted}
        return self._queue.receive_messages(**asking)

    def handled(self) -> None:
        """As the application says it, seen by whoever watches."""
        self._client.delete_message(**self.queue, ReceiptHandle=self.handle)

    def value(self, message: Any) -> bytes:
        self.handle = message.receipt_handle
        found: str = message.body
        return found.encode()


class AiobotocoreConsumer(TaskLoop, _SqsConsumer):
    library = "aiobotocore"

    async def open(self) -> None:
        self._loop: Any = iter(())
        made = _aiobotocore().create_client("sqs", **options(self.broker.url, AioConfig))
        self._client = await made.__aenter__()

    async def _receive(self, count: int, wait: int) -> Any:
        asking = {"MaxNumberOfMessages": count, "WaitTimeSeconds": wait, **self.wanted}
        return (await self._client.receive_message(**self.queue, **asking)).get("Messages", [])

    async def next(self) -> Any:
        message = next(self._loop, None)
        while message is None:
            self._loop = iter(await self._receive(1, 5))
            message = next(self._loop, None)
        self.value(message)
        return message

    async def nothing(self) -> None:
        assert list(await self._receive(1, 0)) == []

    async def batch(self, count: int) -> list[Any]:
        messages: list[Any] = await self._receive(count, 5)
        return messages if count > 1 else messages[:]

    async def close(self) -> None:
        self._loop = iter(())
        await self._client.close()
