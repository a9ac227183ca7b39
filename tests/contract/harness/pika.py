"""pika: blocking and asynchronous channels that send."""

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import AMQPError

from otel_kit.testing.contract.messaging import ProducerHarness
from tests.contract.harness.rabbitmq import (
    FULL,
    REFUSALS,
    UNROUTABLE,
    OnRabbitMQ,
)

T = TypeVar("T")
CLOSED = "CLOSED"


class _Producer(OnRabbitMQ, ProducerHarness):
    library = "pika"
    headers_are_lists = False
    acknowledged = False
    unsendable = (5, Exception)  # each version has another one

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        return dict(headers)

    def parameters(self) -> Any:
        return pika.URLParameters(self.broker.server.url)


class PikaBlockingProducer(_Producer):
    refusals = REFUSALS

    async def open(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        await self._there(self._connect)

    def _connect(self) -> None:
        self._connection = pika.BlockingConnection(self.parameters())
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()

    async def close(self) -> None:
        await self._there(lambda: self._connection.is_open and self._connection.close())
        self._thread.shutdown()

    async def _there(self, function: Callable[[], T]) -> T:
        """In the connection's thread, in a copy of the caller's context."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: context.run(function))

    async def send(self, *, value: Any = b"value", headers: Any = None, to: str = "") -> None:
        properties = None if headers is None else pika.BasicProperties(headers=headers)

        def send() -> None:
            self._channel.basic_publish(
                exchange="",
                routing_key=to or self.topic,
                body=value,
                properties=properties,
                mandatory=True,
            )

        await self._there(send)

    async def send_by_position(self, headers: object) -> None:
        properties = None if headers is None else pika.BasicProperties(headers=headers)  # type: ignore[arg-type]
        await self._there(lambda: self._channel.basic_publish("", self.topic, b"value", properties))

    async def send_refused(self, why: str) -> BaseException:
        to = {FULL: self.broker.full, UNROUTABLE: lambda: "nowhere"}[why]()
        try:
            await self.send(to=to)
        except AMQPError as error:
            return error
        raise AssertionError("the broker took the message")


class PikaAsyncioProducer(_Producer):
    """Its send is over when it is buffered; the broker confirms it to a callback."""

    refusals: ClassVar[Mapping[str, str]] = {CLOSED: "connection"}

    async def open(self) -> None:
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._closed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._connection = AsyncioConnection(
            self.parameters(),
            on_open_callback=lambda connection: connection.channel(
                on_open_callback=opened.set_result
            ),
            on_close_callback=lambda *_: self._closed.set_result(None),
        )
        self._channel = await opened
        self._sent = 0
        self._confirmed: dict[int, asyncio.Future[None]] = {}
        ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._channel.confirm_delivery(self._confirms, ready.set_result)
        await ready

    def _confirms(self, frame: Any) -> None:
        for number in list(self._confirmed):
            if number == frame.method.delivery_tag or (
                frame.method.multiple and number < frame.method.delivery_tag
            ):
                self._confirmed.pop(number).set_result(None)

    async def close(self) -> None:
        if not self._connection.is_closed:
            self._connection.close()
        await self._closed

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        properties = None if headers is None else pika.BasicProperties(headers=headers)
        await self._publish("", self.topic, value, properties=properties)

    async def send_by_position(self, headers: object) -> None:
        properties = None if headers is None else pika.BasicProperties(headers=headers)  # type: ignore[arg-type]
        await self._publish("", self.topic, b"value", properties)

    async def _publish(self, *args: Any, **kwargs: Any) -> None:
        self._channel.basic_publish(*args, **kwargs)
        self._sent += 1
        confirmed = self._confirmed[self._sent] = asyncio.get_running_loop().create_future()
        await confirmed

    async def send_refused(self, why: str) -> BaseException:
        assert why == CLOSED
        self._channel.close()
        try:
            await self.send()
        except AMQPError as error:
            return error
        raise AssertionError("the channel took the message")
