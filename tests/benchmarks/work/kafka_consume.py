"""aiokafka's consumer, iterated: records without headers, fetched ahead."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.benchmarks.work.base import Work


class KafkaConsume(Work):
    name = "kafka_consume"

    async def open(self) -> None:
        bootstrap, _, topic = self.broker.split("/")
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=10)
        await self._consumer.start()
        partition = TopicPartition(topic, 0)
        self._consumer.assign([partition])
        await self._consumer.seek_to_beginning(partition)

    async def burst(self, count: int) -> None:
        async for _ in self._consumer:
            count -= 1
            if not count:
                return

    async def close(self) -> None:
        await self._consumer.stop()


work = KafkaConsume
