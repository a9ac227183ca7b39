"""SQS: those who receive, by its three clients in Python."""

import asyncio
import json
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, ClassVar, TypeVar

from aiobotocore.config import AioConfig

from otel_kit.testing.contract.loops import TaskLoop, ThreadLoop
from otel_kit.testing.contract.messaging import (
    QueueConsumerHarness,
)
from tests.contract.harness.sqs import (
    OnSqs,
    aiobotocore_session,
    boto3_session,
    botocore_session,
    options,
)

T = TypeVar("T")


class _SqsConsumer(OnSqs, QueueConsumerHarness):
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
        self._client = botocore_session().create_client("sqs", **options(self.broker.url))

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
        resource = boto3_session().resource("sqs", **options(self.broker.url))
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

    _loop: Any = iter(())

    async def open(self) -> None:
        made = aiobotocore_session().create_client("sqs", **options(self.broker.url, AioConfig))
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


class Aioboto3Consumer(AiobotocoreConsumer):
    """A queue as aioboto3's resource, and its messages."""

    async def open(self) -> None:
        from aioboto3 import Session  # which wants an aiobotocore of its own choice

        self._made = Session().resource("sqs", **options(self.broker.url, AioConfig))
        resource = await self._made.__aenter__()
        self._queue = await resource.Queue(self.queue["QueueUrl"])
        self._client = resource.meta.client

    async def _receive(self, count: int, wait: int) -> Any:
        asking = {"MaxNumberOfMessages": count, "WaitTimeSeconds": wait, **self.wanted}
        return await self._queue.receive_messages(**asking)

    def value(self, message: Any) -> bytes:
        self.handle = message.receipt_handle
        found: str = message.meta.data["Body"]  # `await message.body` for an application
        return found.encode()


AIOBOTOCORE: list[type[AiobotocoreConsumer]] = [AiobotocoreConsumer]
if find_spec("aioboto3") is not None:
    AIOBOTOCORE.append(Aioboto3Consumer)
