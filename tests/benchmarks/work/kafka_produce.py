"""aiokafka's producer: sends, and their acknowledgements."""

import asyncio

from aiokafka import AIOKafkaProducer

from tests.benchmarks.work.base import Work


class KafkaProduce(Work):
    name = "kafka_produce"

    async def open(self) -> None:
        bootstrap, self._topic, _ = self.broker.split("/")
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await self._producer.start()

    async def burst(self, count: int) -> None:
        sent = [await self._producer.send(self._topic, b'{"order": 7}') for _ in range(count)]
        await asyncio.gather(*sent)

    async def close(self) -> None:
        await self._producer.stop()


work = KafkaProduce
