"""pulsar-client: producers, `receive`, listeners, and the asyncio client."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

import _pulsar
import pulsar
import pulsar.asyncio

from otel_kit.testing.contract.callbacks import TIMEOUT, CallbackConsumer
from otel_kit.testing.contract.loops import TaskLoop, ThreadLoop
from otel_kit.testing.contract.messaging import (
    Broker,
    Headers,
    ProducerHarness,
    QueueConsumerHarness,
)
from tests.servers.pulsar import Pulsar

T = TypeVar("T")
CLOSED, TOO_BIG = "CLOSED", "TOO_BIG"
_BIG = b"." * (6 * 1024 * 1024)
_SOON = 50
"""Milliseconds until a message that was given back comes again, or until none has come."""


class PulsarBroker(Broker):
    """The other side uses the client's part in C++, which nobody instruments."""

    def __init__(self, server: Pulsar | None = None) -> None:
        server = server or Pulsar.shared()
        self.server = server
        configuration = _pulsar.ClientConfiguration()
        configuration.set_file_logger(_pulsar.LoggerLevel.Warn, str(server.folder / "client.log"))
        self._client = _pulsar.Client(server.url, configuration)

    def topic(self) -> str:
        return f"persistent://public/default/orders-{uuid.uuid4().hex[:12]}"

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        producer = self._client.create_producer(topic, _pulsar.ProducerConfiguration())
        message = _pulsar.MessageBuilder()
        message.content(b"value")
        for name, value in headers:
            message.property(name, (value or b"").decode())
        producer.send(message.build())
        producer.close()

    def received(self, topic: str, count: int) -> list[Headers]:
        earliest = _pulsar.MessageId.earliest
        reader = self._client.create_reader(topic, earliest, _pulsar.ReaderConfiguration())
        found = [reader.read_next(int(TIMEOUT * 1000)).properties() for _ in range(count)]
        reader.close()
        return [[(name, value.encode()) for name, value in each.items()] for each in found]

    def close(self) -> None:
        """It goes on: the next scenario finds it as good as new."""


class _OnPulsar:
    library = "pulsar"
    transport = "pulsar"
    brokers = PulsarBroker
    broker: PulsarBroker

    def connected(self) -> Any:
        return pulsar.Client(self.broker.server.url, logger=self.quiet())

    def quiet(self) -> Any:
        log = self.broker.server.folder / "client.log"
        return pulsar.FileLogger(pulsar.LoggerLevel.Warn, str(log))


# -- out ----------------------------------------------------------------------------------------


class _Producer(_OnPulsar, ProducerHarness):
    refusals: ClassVar[Mapping[str, str]] = {CLOSED: "connection", TOO_BIG: "client_error"}
    unsendable = ("a str, no bytes", Exception)
    headers_are_lists = False

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        return dict(headers)


class PulsarProducer(_Producer):
    """Calls in a copy of the caller's context, as everything synchronous."""

    acknowledged = False

    async def open(self) -> None:
        self.client = self.connected()
        self.producer = await asyncio.to_thread(self.client.create_producer, self.topic)

    async def close(self) -> None:
        with suppress(pulsar.exceptions.AlreadyClosed):
            await asyncio.to_thread(self.client.close)

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        await asyncio.to_thread(self.producer.send, value, properties=headers)

    async def send_by_position(self, headers: object) -> None:
        await asyncio.to_thread(self.producer.send, b"value", headers)

    async def send_refused(self, why: str) -> BaseException:
        if why == CLOSED:
            self.producer.close()
        try:
            await self.send(value=b"value" if why == CLOSED else _BIG)
        except pulsar.exceptions.PulsarException as error:
            return error
        raise AssertionError("the broker took the message")


class PulsarCallbackProducer(PulsarProducer):
    """`send_async`, whose callback is called in a thread of the library's."""

    acknowledged = True

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        await self._sent(value, properties=headers)

    async def send_by_position(self, headers: object) -> None:
        await self._sent(b"value", headers)

    async def _sent(self, value: Any, *args: Any, **kwargs: Any) -> None:
        known: Future[Any] = Future()
        self.producer.send_async(value, lambda result, _: known.set_result(result), *args, **kwargs)
        result = await asyncio.wrap_future(known)
        if result != pulsar.Result.Ok:
            raise getattr(pulsar.exceptions, result.name)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        def send() -> None:
            known: Future[Any] = Future()
            slow = self.client.create_producer(
                self.topic, batching_enabled=True, batching_max_publish_delay_ms=60_000
            )
            slow.send_async(b"value", lambda result, _: known.set_result(result))
            look()
            slow.flush()
            known.result(TIMEOUT)

        await asyncio.to_thread(send)


class PulsarAsyncioProducer(_Producer):
    acknowledged = False

    async def open(self) -> None:
        self.client = pulsar.asyncio.Client(self.broker.server.url, logger=self.quiet())
        self.producer = await self.client.create_producer(self.topic)

    async def close(self) -> None:
        with suppress(pulsar.asyncio.PulsarException):
            await self.client.close()

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        await self.producer.send(value, properties=headers)

    async def send_by_position(self, headers: Any) -> None:
        await self.producer.send(b"value", headers)

    async def send_refused(self, why: str) -> BaseException:
        if why == CLOSED:
            await self.producer.close()
        try:
            await self.send(value=b"value" if why == CLOSED else _BIG)
        except pulsar.asyncio.PulsarException as error:
            return error
        raise AssertionError("the broker took the message")


# -- in -----------------------------------------------------------------------------------------


class _Consumer(_OnPulsar, QueueConsumerHarness):
    restarts = False
    consumer: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = "workers"
        self._message: Any = None

    def value(self, message: Any) -> bytes:
        found: bytes = message.data()
        return found

    def subscription(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "subscription_name": "workers",
            "consumer_type": pulsar.ConsumerType.Shared,
            "initial_position": pulsar.InitialPosition.Earliest,
            "negative_ack_redelivery_delay_ms": _SOON,
        }

    async def crash(self) -> None:
        await self.close()


class PulsarReceive(ThreadLoop, _Consumer):
    def connect(self) -> None:
        self.client = self.connected()
        self.consumer = self.client.subscribe(**self.subscription())

    async def next(self) -> Any:
        self._message = await self.here(lambda: self.consumer.receive(int(TIMEOUT * 1000)))
        return self._message

    async def nothing(self) -> None:
        def ask() -> None:
            with suppress(pulsar.exceptions.Timeout):
                raise AssertionError(self.consumer.receive(_SOON))

        await self.here(ask)

    async def acknowledge(self) -> None:
        await self.here(lambda: self.consumer.acknowledge(self._message))

    async def give_back(self) -> None:
        await self.here(lambda: self.consumer.negative_acknowledge(self._message))

    def leave(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            self.consumer.close()
            client.close()


class PulsarListener(CallbackConsumer, _Consumer):
    """The library calls the listener in a thread of its own."""

    async def open(self) -> None:
        self.client = self.connected()
        options = {**self.subscription(), "message_listener": self._listen}
        self.consumer = await asyncio.to_thread(lambda: self.client.subscribe(**options))

    def _listen(self, consumer: Any, message: Any) -> None:
        self.handle(message)

    async def next(self) -> Any:
        self._message = await super().next()
        return self._message

    async def nothing(self) -> None:
        await asyncio.sleep(_SOON / 1000)
        assert self._arrived.empty()

    async def acknowledge(self) -> None:
        await asyncio.to_thread(self.consumer.acknowledge, self._message)

    async def give_back(self) -> None:
        self.consumer.negative_acknowledge(self._message)

    async def disconnect(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            await asyncio.to_thread(client.close)


class PulsarAsyncio(TaskLoop, _Consumer):
    async def open(self) -> None:
        self.client = pulsar.asyncio.Client(self.broker.server.url, logger=self.quiet())
        options = self.subscription()
        self.consumer = await self.client.subscribe(**options)

    async def next(self) -> Any:
        async with asyncio.timeout(TIMEOUT):  # in this very task
            self._message = await self.consumer.receive()
        return self._message

    async def nothing(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SOON / 1000):
                raise AssertionError(await self.consumer.receive())

    async def acknowledge(self) -> None:
        await self.consumer.acknowledge(self._message)

    async def give_back(self) -> None:
        own = getattr(self.consumer, "negative_acknowledge", None)
        if own is not None:
            await own(self._message)
        else:  # an older one
            self.consumer._consumer.negative_acknowledge(self._message._message)

    async def close(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            await self.consumer.close()
            await client.close()
