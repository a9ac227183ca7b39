"""aio-pika: the exchange, and a queue with a callback, that is iterated, or asked by `get`."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import aio_pika
from aio_pika.exceptions import DeliveryError

from otel_kit.testing.contract.callbacks import TIMEOUT, CallbackConsumer
from otel_kit.testing.contract.loops import TaskLoop
from otel_kit.testing.contract.messaging import ProducerHarness, QueueConsumerHarness
from tests.contract.harness.rabbitmq import (
    FULL,
    REFUSALS,
    UNROUTABLE,
    OnRabbitMQ,
    dead_letters_of,
)

T = TypeVar("T")


class AioPikaProducer(OnRabbitMQ, ProducerHarness):
    library = "aio-pika"
    refusals = REFUSALS
    headers_are_lists = False
    unsendable = (5, TypeError)

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        return dict(headers)

    async def open(self) -> None:
        self._connection = await aio_pika.connect(self.broker.server.url)
        self._channel = await self._connection.channel(on_return_raises=True)

    async def close(self) -> None:
        await self._connection.close()

    async def send(self, *, value: Any = b"value", headers: Any = None, to: str = "") -> None:
        message = aio_pika.Message(b"", headers=headers)
        message.body = value
        await self._channel.default_exchange.publish(message, routing_key=to or self.topic)

    async def send_by_position(self, headers: object) -> None:
        message = aio_pika.Message(b"value", headers=headers)  # type: ignore[arg-type]
        await self._channel.default_exchange.publish(message, self.topic)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        sending = asyncio.create_task(self.send())
        await asyncio.sleep(0)
        look()
        assert not sending.done()
        await sending

    async def send_refused(self, why: str) -> BaseException:
        to = {FULL: self.broker.full, UNROUTABLE: lambda: "nowhere"}[why]()
        try:
            await self.send(to=to)
        except DeliveryError as error:
            return error
        raise AssertionError("the broker took the message")


class _Consumer(OnRabbitMQ, QueueConsumerHarness):
    library = "aio-pika"
    dated = 1.0
    dead_letters = True

    message: Any

    def __init__(self, *args: Any, prefetch: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefetch = prefetch

    async def open(self) -> None:
        self.connection = await aio_pika.connect_robust(
            self.broker.server.url, reconnect_interval=0.1
        )
        channel = await self.connection.channel()
        if self.prefetch:
            await channel.set_qos(prefetch_count=self.prefetch)
        self.queue = await channel.get_queue(self.topic)
        await self.consume()

    async def consume(self) -> None:
        """Begin to."""

    def value(self, message: Any) -> bytes:
        found: bytes = message.body
        return found

    async def acknowledge(self) -> None:
        await self.message.ack()

    async def give_back(self) -> None:
        await self.message.nack()

    async def reject(self) -> str:
        await self.message.reject(requeue=False)
        return dead_letters_of(self.topic)

    async def crash(self) -> None:
        await self.connection.close()


class _Loop(TaskLoop, _Consumer):
    async def close(self) -> None:
        await self.queue.channel.close()
        await self.connection.close()

    async def recover(self) -> None:
        await self.connection.ready()


class AioPikaIterated(_Loop):
    async def consume(self) -> None:
        self._iterator = self.queue.iterator()

    async def close(self) -> None:
        await self._iterator.close()
        await super().close()

    async def next(self) -> Any:
        async with asyncio.timeout(TIMEOUT):
            self.message = await anext(self._iterator)
        await asyncio.sleep(0)  # a message that was there already is handed out in the same turn
        return self.message

    async def nothing(self) -> None:
        iterator = self.queue.iterator(timeout=0.02)
        with suppress(TimeoutError):
            await anext(iterator)
            raise AssertionError("there is a message")


class AioPikaGet(_Loop):
    restarts = False  # takes seconds: it is tried with an iterator

    async def next(self) -> Any:
        async with asyncio.timeout(TIMEOUT):
            while (message := await self.queue.get(fail=False)) is None:
                await asyncio.sleep(0.01)
        self.message = message
        return message

    async def nothing(self) -> None:
        assert await self.queue.get(fail=False) is None


class AioPikaCallback(CallbackConsumer, _Consumer):
    concurrent = True
    restarts = False

    async def consume(self) -> None:
        await self.queue.consume(self.handle_async)

    async def next(self) -> Any:
        self.message = await super().next()
        return self.message

    async def nothing(self) -> None:
        assert self.broker.waiting(self.topic) == 0
        assert self._arrived.empty()

    async def disconnect(self) -> None:
        await self.connection.close()
