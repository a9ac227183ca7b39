"""Run analytics: a batch consumer."""

import asyncio
import sqlite3
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

import otel_kit
from demo.messaging import aio, topics
from demo.messaging.message import MalformedMessage, Message
from demo.runtime.lifecycle import log_to_stdout, ready, until_stopped
from demo.services.analytics import totals
from demo.storage.database import open_database

BATCH = 100
LINGER_MS = 500


async def count(
    database: sqlite3.Connection, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer
) -> None:
    while True:
        fetched = await consumer.getmany(timeout_ms=LINGER_MS, max_records=BATCH)
        records = [record for partition in fetched.values() for record in partition]
        if records:
            with otel_kit.process(records):
                totals.add(database, await _readable(records, producer))
            await consumer.commit()


async def _readable(records: list[Any], producer: AIOKafkaProducer) -> list[Message]:
    facts = []
    for record in records:
        try:
            facts.append(Message.decode(record.value))
        except MalformedMessage as error:
            await aio.dead_letter(record, producer, error)
    return facts


async def main() -> None:
    database = open_database("analytics", totals.SCHEMA)
    async with (
        aio.producer("analytics") as producer,
        aio.consumer("analytics", topics.CREATED, topics.OUTCOMES) as consumer,
    ):
        ready()
        await until_stopped(count(database, consumer, producer))


if __name__ == "__main__":
    kit = otel_kit.instrument("analytics")
    log_to_stdout()
    asyncio.run(main())
    kit.shutdown()
