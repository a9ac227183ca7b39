"""confluent-kafka: the producer, and consumers that are polled, consume lists, or are awaited."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, TypeVar

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition

from otel_kit.testing.contract.loops import TaskLoop, ThreadLoop
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


class _Consumer(OnKafka, LogConsumerHarness):
    library = "confluent-kafka"
    dated = 0.001

    def config(self) -> dict[str, Any]:
        # One that is not told a group must have one all the same.
        self.group = self.group or f"any-{id(self)}"
        return {
            "bootstrap.servers": self.broker.bootstrap,
            "group.id": self.group,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }

    def value(self, message: Any) -> bytes:
        found: bytes = message.value()
        return found

    def headers(self, message: Any) -> Headers:
        found: Headers = message.headers()
        return found


class ConfluentPolled(ThreadLoop, _Consumer):
    """The thread polls the consumer."""

    def connect(self) -> None:
        subscribes = self.group is not None
        consumer = self._consumer = confluent_kafka.Consumer(self.config())
        if subscribes:
            consumer.subscribe([self.topic])
            while not consumer.assignment():  # which takes older versions seconds
                assert consumer.poll(0.01) is None
        else:
            consumer.assign([TopicPartition(self.topic, 0, 0)])

    def leave(self) -> None:
        self._consumer.close()

    async def next(self) -> Any:
        return await self.here(lambda: self._consumer.poll(_TIMEOUT))

    async def nothing(self) -> None:
        assert await self.here(lambda: self._consumer.poll(0.02)) is None
        assert await self.here(lambda: self._consumer.consume(1, 0)) == []

    async def batch(self, count: int) -> list[Any]:
        messages: list[Any] = await self.here(lambda: self._consumer.consume(count, _TIMEOUT))
        assert len(messages) == count
        return messages if count > 1 else messages[:]  # to unpack it is to iterate over it

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

    _list: Any = iter(())

    async def next(self) -> Any:
        def step() -> Any:
            message = next(self._list, None)
            while message is None:
                self._list = iter(self._consumer.consume(1, _TIMEOUT))
                message = next(self._list, None)
            return message

        return await self.here(step)

    async def unsubscribe(self) -> None:
        await self.here(self._drop)
        await super().unsubscribe()

    def leave(self) -> None:
        self._drop()
        super().leave()

    def _drop(self) -> None:
        """What iterates over the last list."""
        self._list = iter(())


class ConfluentAsync(TaskLoop, _Consumer):
    """An `AIOConsumer`."""

    async def open(self) -> None:
        from confluent_kafka.aio import AIOConsumer  # not before 2.13

        subscribes = self.group is not None
        self._consumer = AIOConsumer(self.config())
        if subscribes:
            await self._consumer.subscribe([self.topic])
        else:
            await self._consumer.assign([TopicPartition(self.topic, 0, 0)])

    async def close(self) -> None:
        with suppress(RuntimeError):  # twice
            await self._consumer.close()

    async def next(self) -> Any:
        return await self._consumer.poll(_TIMEOUT)

    async def nothing(self) -> None:
        assert await self._consumer.poll(0.02) is None
        assert await self._consumer.consume(1, 0) == []

    async def batch(self, count: int) -> list[Any]:
        messages: list[Any] = await self._consumer.consume(count, _TIMEOUT)
        return messages if count > 1 else messages[:]

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


CONSUMERS: list[type[_Consumer]] = [ConfluentPolled, ConfluentConsumed]
if find_spec("confluent_kafka.aio") is not None:
    CONSUMERS.append(ConfluentAsync)
