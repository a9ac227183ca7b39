"""aiokafka: the producer, and a consumer that is iterated or asked by `getone`."""

from collections.abc import Callable
from typing import Any, TypeVar

import aiokafka
from aiokafka.errors import KafkaError

from otel_kit.testing.contract.loops import TaskLoop
from otel_kit.testing.contract.messaging import LogConsumerHarness, ProducerHarness
from tests.contract.harness.broker import REFUSALS, OnKafka

T = TypeVar("T")


class AiokafkaProducer(OnKafka, ProducerHarness):
    library = "aiokafka"
    refusals = REFUSALS

    async def open(self) -> None:
        self._producer = aiokafka.AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap)
        await self._producer.start()

    async def close(self) -> None:
        await self._producer.stop()

    async def send(self, **arguments: Any) -> None:
        await self._producer.send_and_wait(self.topic, **{"value": b"value", **arguments})

    async def send_by_position(self, headers: object) -> None:
        await (await self._producer.send(self.topic, b"value", None, None, None, headers))

    async def send_and_look(self, look: Callable[[], None]) -> None:
        acknowledged = await self._producer.send(self.topic, b"value")
        assert not acknowledged.done()
        look()
        await acknowledged

    async def send_refused(self, why: str) -> BaseException:
        self.broker.refuse(why, times=1000)
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=self.broker.bootstrap, request_timeout_ms=300, retry_backoff_ms=50
        )
        async with producer:
            try:
                await producer.send_and_wait(self.topic, b"value")
            except KafkaError as error:
                return error
        raise AssertionError("the broker took the message")


class AiokafkaIterated(OnKafka, TaskLoop, LogConsumerHarness):
    library = "aiokafka"
    dated = 0.001

    async def open(self) -> None:
        self.consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.broker.bootstrap,
            group_id=self.group,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=10,
        )
        if self.group is not None:
            self.consumer.subscribe([self.topic])
        await self.consumer.start()
        if self.group is None:
            self.consumer.assign([aiokafka.TopicPartition(self.topic, 0)])

    async def close(self) -> None:
        await self.consumer.stop()

    async def next(self) -> Any:
        return await anext(self.consumer)

    async def nothing(self) -> None:
        assert await self.consumer.getmany(timeout_ms=20) == {}

    async def batch(self, count: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < count:
            many = await self.consumer.getmany(timeout_ms=1000, max_records=count - len(found))
            found += [record for records in many.values() for record in records]
        return found

    async def rewind(self) -> None:
        await self.consumer.seek_to_beginning()

    async def pause(self) -> None:
        self.consumer.pause(*self.consumer.assignment())

    async def resume(self) -> None:
        self.consumer.resume(*self.consumer.assignment())

    async def commit(self) -> None:
        await self.consumer.commit()

    async def unsubscribe(self) -> None:
        self.consumer.unsubscribe()


class AiokafkaGetone(AiokafkaIterated):
    async def next(self) -> Any:
        return await self.consumer.getone()
