"""confluent-kafka: the producer, and consumers that are polled, consume lists, or are awaited."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, TypeVar

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition

from otel_kit.testing.contract.messaging import Headers, LogConsumerHarness, ProducerHarness
from tests.contract.harness.broker import REFUSALS, OnKafka

T = TypeVar("T")
_TIMEOUT = 10


class ConfluentProducer(OnKafka, ProducerHarness):
    library = "confluent-kafka"
    refusals = REFUSALS
    unsendable = (5, TypeError)

    async def open(self) -> None:
        self._producer = self.connect()

    def connect(self, **options: Any) -> Any:
        return confluent_kafka.Producer({"bootstrap.servers": self.broker.bootstrap, **options})

    async def close(self) -> None:
        await asyncio.to_thread(self._producer.flush, _TIMEOUT)

    async def send(self, **arguments: Any) -> None:
        await self._sent(self._producer, self.topic, **{"value": b"value", **arguments})

    async def send_by_position(self, headers: object) -> None:
        await self._sent(self._producer, self.topic, b"value", None, -1, None, None, 0, headers)

    async def _sent(self, producer: Any, *args: Any, **kwargs: Any) -> None:
        def send() -> None:
            producer.produce(*args, **kwargs)
            assert producer.flush(_TIMEOUT) == 0

        await asyncio.to_thread(send)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        def send() -> None:
            self._producer.produce(self.topic, b"value")
            look()
            assert self._producer.flush(_TIMEOUT) == 0

        await asyncio.to_thread(send)

    async def send_refused(self, why: str) -> BaseException:
        self.broker.refuse(why, times=1)
        said: list[Any] = []
        await self._sent(
            self.connect(retries=0),
            self.topic,
            b"value",
            on_delivery=lambda error, _: said.append(error),
        )
        return KafkaException(*said)


class ConfluentPolled(OnKafka, LogConsumerHarness):
    """A thread of its own, whose context stays from call to call, polls the consumer."""

    library = "confluent-kafka"
    dated = 0.001

    async def open(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._consumer = await self.here(self._connect)

    def _config(self) -> dict[str, Any]:
        # One that is not told a group must have one all the same.
        self.group = self.group or f"any-{id(self)}"
        return {
            "bootstrap.servers": self.broker.bootstrap,
            "group.id": self.group,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }

    def _connect(self) -> Any:
        subscribes = self.group is not None
        consumer = confluent_kafka.Consumer(self._config())
        if subscribes:
            consumer.subscribe([self.topic])
            while not consumer.assignment():  # which takes older versions seconds
                assert consumer.poll(0.01) is None
        else:
            consumer.assign([TopicPartition(self.topic, 0, 0)])
        return consumer

    async def close(self) -> None:
        await self.here(self._consumer.close)

    async def __aexit__(self, *error: object) -> None:
        await self.close()
        self._thread.shutdown()

    def value(self, message: Any) -> bytes:
        found: bytes = message.value()
        return found

    def headers(self, message: Any) -> Headers:
        found: Headers = message.headers()
        return found

    async def next(self) -> Any:
        return await self.here(lambda: self._consumer.poll(_TIMEOUT))

    async def nothing(self) -> None:
        assert await self.here(lambda: self._consumer.poll(0.02)) is None
        assert await self.here(lambda: self._consumer.consume(1, 0)) == []

    async def batch(self, count: int) -> list[Any]:
        messages: list[Any] = await self.here(lambda: self._consumer.consume(count, _TIMEOUT))
        assert len(messages) == count
        return messages if count > 1 else messages[:]  # to unpack it is to iterate over it

    async def here(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def fail(self, error: Exception) -> None:
        def handle() -> None:
            with suppress(type(error)):
                try:
                    raise error
                finally:
                    self._consumer.close()

        await self.here(handle)

    async def rewind(self) -> None:
        await self.here(lambda: self._consumer.seek(TopicPartition(self.topic, 0, 0)))

    async def pause(self) -> None:
        await self.here(lambda: self._consumer.pause(self._consumer.assignment()))

    async def resume(self) -> None:
        await self.here(lambda: self._consumer.resume(self._consumer.assignment()))

    async def commit(self) -> None:
        await self.here(lambda: self._consumer.commit(asynchronous=False))

    async def unsubscribe(self) -> None:
        await self.here(self._consumer.unsubscribe)


class ConfluentConsumed(ConfluentPolled):
    """Lists of one message, which are iterated over."""

    async def next(self) -> Any:
        def step() -> Any:
            message = next(self._list, None)
            while message is None:
                self._list = iter(self._consumer.consume(1, _TIMEOUT))
                message = next(self._list, None)
            return message

        return await self.here(step)

    async def open(self) -> None:
        self._list = iter(())
        await super().open()

    async def close(self) -> None:
        await self.here(self._leave)
        await super().close()

    async def fail(self, error: Exception) -> None:
        await self.here(self._leave)
        await super().fail(error)

    async def unsubscribe(self) -> None:
        await self.here(self._leave)
        await super().unsubscribe()

    def _leave(self) -> None:
        """The loop, which drops its iterator."""
        self._list = iter(())


class ConfluentAsync(ConfluentPolled):
    """An `AIOConsumer`."""

    async def open(self) -> None:
        from confluent_kafka.aio import AIOConsumer  # not before 2.13

        subscribes = self.group is not None
        self._consumer = AIOConsumer(self._config())
        if subscribes:
            await self._consumer.subscribe([self.topic])
        else:
            await self._consumer.assign([TopicPartition(self.topic, 0, 0)])

    async def close(self) -> None:
        with suppress(RuntimeError):  # twice
            await self._consumer.close()

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def next(self) -> Any:
        return await self._consumer.poll(_TIMEOUT)

    async def nothing(self) -> None:
        assert await self._consumer.poll(0.02) is None
        assert await self._consumer.consume(1, 0) == []

    async def batch(self, count: int) -> list[Any]:
        messages: list[Any] = await self._consumer.consume(count, _TIMEOUT)
        return messages if count > 1 else messages[:]

    async def here(self, function: Callable[[], T]) -> T:
        return function()

    async def fail(self, error: Exception) -> None:
        try:
            raise error
        except type(error):
            await self._consumer.close()

    async def rewind(self) -> None:
        await self._consumer.seek(TopicPartition(self.topic, 0, 0))

    async def pause(self) -> None:
        await self._consumer.pause(await self._consumer.assignment())

    async def resume(self) -> None:
        await self._consumer.resume(await self._consumer.assignment())

    async def commit(self) -> None:
        await self._consumer.commit(asynchronous=False)

    async def unsubscribe(self) -> None:
        await self._consumer.unsubscribe()


CONSUMERS: list[type[ConfluentPolled]] = [ConfluentPolled, ConfluentConsumed]
if find_spec("confluent_kafka.aio") is not None:
    CONSUMERS.append(ConfluentAsync)
