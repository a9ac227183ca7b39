"""pika: callbacks, the generator, and `basic_get`."""

import asyncio
import socket
import time
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Event, Thread
from typing import Any, TypeVar

import pika
from pika.adapters.select_connection import SelectConnection
from pika.exceptions import AMQPError

from otel_kit.testing.contract.base import HandlerError
from otel_kit.testing.contract.callbacks import TIMEOUT, CallbackConsumer
from otel_kit.testing.contract.loops import ThreadLoop
from otel_kit.testing.contract.messaging import QueueConsumerHarness
from tests.contract.harness.rabbitmq import (
    OnRabbitMQ,
    dead_letters_of,
)

T = TypeVar("T")


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
