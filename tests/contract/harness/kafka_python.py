"""kafka-python: the producer, and a consumer that is iterated."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

import kafka

from otel_kit.testing.contract.loops import ThreadLoop
from otel_kit.testing.contract.messaging import LogConsumerHarness, ProducerHarness
from tests.contract.harness.broker import API_VERSION, REFUSALS, OnKafka

T = TypeVar("T")
_TIMEOUT = 10


class KafkaPythonProducer(OnKafka, ProducerHarness):
    library = "kafka-python"
    refusals = REFUSALS
    unsendable = ("a str, no bytes", Exception)  # each version has another one

    async def open(self) -> None:
        self._producer = await asyncio.to_thread(self._connect)

    def _connect(self, **options: Any) -> Any:
        return kafka.KafkaProducer(
            bootstrap_servers=self.broker.bootstrap, api_version=API_VERSION, **options
        )

    async def close(self) -> None:
        await asyncio.to_thread(self._producer.close)

    async def send(self, **arguments: Any) -> None:
        def send() -> None:
            future = self._producer.send(self.topic, **{"value": b"value", **arguments})
            future.get(_TIMEOUT)

        await asyncio.to_thread(send)

    async def send_by_position(self, headers: object) -> None:
        def send() -> None:
            self._producer.send(self.topic, b"value", None, headers).get(_TIMEOUT)

        await asyncio.to_thread(send)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        def send() -> None:
            with closing(self._connect(linger_ms=60_000)) as producer:
                future = producer.send(self.topic, b"value")
                look()
                producer.flush(_TIMEOUT)
                future.get(_TIMEOUT)

        await asyncio.to_thread(send)

    async def send_refused(self, why: str) -> BaseException:
        def send() -> BaseException:
            self.broker.refuse(why, times=1)
            with closing(self._connect(retries=0)) as producer:
                try:
                    producer.send(self.topic, b"value").get(_TIMEOUT)
                except kafka.errors.KafkaError as error:
                    return error
            raise AssertionError("the broker took the message")

        return await asyncio.to_thread(send)


class KafkaPythonConsumer(OnKafka, ThreadLoop, LogConsumerHarness):
    """The thread iterates the consumer."""

    library = "kafka-python"
    dated = 0.001

    def connect(self) -> None:
        consumer = self._consumer = kafka.KafkaConsumer(
            bootstrap_servers=self.broker.bootstrap,
            api_version=API_VERSION,
            group_id=self.group,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=10,
            consumer_timeout_ms=1000 * _TIMEOUT,
        )
        if self.group is None:
            consumer.assign([kafka.TopicPartition(self.topic, 0)])
        else:
            consumer.subscribe([self.topic])
            # Learnt before joining the group, or it joins twice: the second takes long.
            consumer.partitions_for_topic(self.topic)

    def leave(self) -> None:
        self._consumer.close()

    async def next(self) -> Any:
        return await self.here(lambda: next(self._consumer, None))

    async def nothing(self) -> None:
        def ask() -> None:
            self._consumer.config["consumer_timeout_ms"] = 20
            assert list(self._consumer) == []
            assert self._consumer.poll(timeout_ms=0) == {}

        await self.here(ask)

    async def batch(self, count: int) -> list[Any]:
        def poll() -> list[Any]:
            found: list[Any] = []
            while len(found) < count:
                for records in self._consumer.poll(1000, max_records=count - len(found)).values():
                    found += records
            return found

        return await self.here(poll)

    async def rewind(self) -> None:
        await self.here(self._consumer.seek_to_beginning)

    async def pause(self) -> None:
        await self.here(lambda: self._consumer.pause(*self._consumer.assignment()))

    async def resume(self) -> None:
        await self.here(lambda: self._consumer.resume(*self._consumer.assignment()))

    async def commit(self) -> None:
        await self.here(self._consumer.commit)

    async def unsubscribe(self) -> None:
        await self.here(self._consumer.unsubscribe)
