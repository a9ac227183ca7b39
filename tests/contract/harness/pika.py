"""pika: blocking and asynchronous channels, callbacks, the generator, and `basic_get`."""

import asyncio
import contextvars
import socket
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from typing import Any, ClassVar, TypeVar

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.select_connection import SelectConnection
from pika.exceptions import AMQPError

from otel_kit.testing.contract.base import HandlerError
from otel_kit.testing.contract.callbacks import TIMEOUT, CallbackConsumer
from otel_kit.testing.contract.loops import ThreadLoop
from otel_kit.testing.contract.messaging import ProducerHarness, QueueConsumerHarness
from tests.contract.harness.rabbitmq import (
    FULL,
    REFUSALS,
    UNROUTABLE,
    OnRabbitMQ,
    dead_letters_of,
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


class _Consumer(OnRabbitMQ, QueueConsumerHarness):
    """The message that an application hands on is its properties: they have the headers."""

    library = "pika"
    dated = 1.0
    dead_letters = True
    restarts = False

    channel: Any
    delivery_tag: int

    def __init__(self, *args: Any, prefetch: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefetch = prefetch

    def value(self, message: Any) -> bytes:
        return self._values[id(message)]

    def remember(self, method: Any, properties: Any, body: bytes) -> Any:
        self._values = {id(properties): body}
        self.delivery_tag = method.delivery_tag
        return properties

    def parameters(self) -> Any:
        return pika.URLParameters(self.broker.server.url)

    async def acknowledge(self) -> None:
        await self.here(lambda: self.channel.basic_ack(self.delivery_tag))

    async def give_back(self) -> None:
        await self.here(lambda: self.channel.basic_nack(self.delivery_tag))

    async def reject(self) -> str:
        await self.here(lambda: self.channel.basic_reject(self.delivery_tag, requeue=False))
        return dead_letters_of(self.topic)

    async def nothing(self) -> None:
        assert self.broker.waiting(self.topic) == 0


# -- loops --------------------------------------------------------------------------------------


class _Loop(ThreadLoop, _Consumer):
    def connect(self) -> None:
        self.connection = pika.BlockingConnection(self.parameters())
        self.channel = self.connection.channel()
        self.channel.basic_qos(prefetch_count=self.prefetch)

    async def next(self) -> Any:
        return await self.here(self.asked)

    @abstractmethod
    def asked(self) -> Any:
        """The next message."""

    def leave(self) -> None:
        if self.connection.is_open:
            self.connection.close()

    async def crash(self) -> None:
        await self.close()


class PikaConsume(_Loop):
    def connect(self) -> None:
        super().connect()
        self._messages = self.channel.consume(self.topic, inactivity_timeout=TIMEOUT)

    def asked(self) -> Any:
        return self.remember(*next(self._messages))

    async def nothing(self) -> None:
        def ask() -> None:
            other = self.connection.channel()
            assert next(other.consume(self.topic, inactivity_timeout=0.02)) == (None, None, None)

        await self.here(ask)


class PikaGet(_Loop):
    def asked(self) -> Any:
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            method, properties, body = self.channel.basic_get(self.topic)
            if method is not None:
                return self.remember(method, properties, body)
            time.sleep(0.01)
        raise AssertionError("no message came")

    async def nothing(self) -> None:
        await self.here(lambda: self._none(self.channel.basic_get(self.topic)))

    def _none(self, found: Any) -> None:
        assert found == (None, None, None)


# -- callbacks ----------------------------------------------------------------------------------


class _Callback(CallbackConsumer, _Consumer):
    """A thread of its own lets the connection do its work, which calls the handler."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._closing = Event()

    async def open(self) -> None:
        ready: Future[None] = Future()
        self._thread = Thread(target=self._run, args=(ready,))
        self._thread.start()
        await asyncio.wrap_future(ready)

    @abstractmethod
    def _run(self, ready: "Future[None]") -> None:
        """Consume, until told not to."""

    def on_message(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.handle((channel, method, properties, body))

    async def next(self) -> Any:
        self.channel, *message = await super().next()
        return self.remember(*message)

    async def nothing(self) -> None:
        await super().nothing()
        assert self._arrived.empty()

    async def here(self, function: Callable[[], T]) -> T:
        if self._handled is not None:
            return await super().here(function)
        return function()

    async def disconnect(self) -> None:
        if self._thread.is_alive():
            self.stop()
        await asyncio.to_thread(self._thread.join)

    @abstractmethod
    def stop(self) -> None:
        """Let the thread end; from any."""

    async def crash(self) -> None:
        self.line().shutdown(socket.SHUT_RDWR)
        await self.finish()
        await asyncio.to_thread(self._thread.join)

    @abstractmethod
    def line(self) -> socket.socket:
        """The connection's socket."""


class PikaCallback(_Callback):
    restarts = True

    def _run(self, ready: "Future[None]") -> None:
        with suppress(AMQPError), pika.BlockingConnection(self.parameters()) as self._connection:
            self._channel = self._connection.channel()
            self._channel.basic_consume(self.topic, self.on_message)
            ready.set_result(None)
            while not self._closing.is_set():
                self._turn(self._channel)

    def _turn(self, channel: Any) -> None:
        with suppress(HandlerError):
            channel.start_consuming()

    def stop(self) -> None:
        self._closing.set()
        self._connection.add_callback_threadsafe(self._channel.stop_consuming)

    def line(self) -> socket.socket:
        found: socket.socket = self._connection._impl._transport._sock
        return found

    async def recover(self) -> None:
        await self.finish()
        await asyncio.to_thread(self._thread.join)
        await self.open()


class PikaSelect(_Callback):
    def _run(self, ready: "Future[None]") -> None:
        def opened(channel: Any) -> None:
            channel.basic_consume(
                self.topic, self.on_message, callback=lambda _: ready.set_result(None)
            )

        self._connection = SelectConnection(
            self.parameters(),
            on_open_callback=lambda connection: connection.channel(on_open_callback=opened),
            on_close_callback=lambda *_: self._connection.ioloop.stop(),
        )
        while not self._connection.is_closed:
            with suppress(HandlerError):
                self._connection.ioloop.start()
        self._connection.ioloop.close()

    def stop(self) -> None:
        self._connection.ioloop.add_callback_threadsafe(self._connection.close)

    def line(self) -> socket.socket:
        found: socket.socket = self._connection._transport._sock
        return found
