"""Kafka by aiokafka: how the asynchronous services consume and publish."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

import otel_kit
from demo import config
from demo.messaging import topics
from demo.messaging.delivery import TRANSIENT, error_header, fetch_options
from demo.messaging.message import Message
from demo.resilience.retry import retry_async

Handler = Callable[[Any], Awaitable[None]]

logger = logging.getLogger(__name__)


def consumer(group: str, *names: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        *names,
        bootstrap_servers=config.bootstrap_servers(),
        group_id=group,
        client_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=15_000,
        **fetch_options(),
    )


def producer(client_id: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=config.bootstrap_servers(),
        client_id=client_id,
        acks="all",
        request_timeout_ms=10_000,
    )


async def publish(producer: AIOKafkaProducer, topic: str, message: Message) -> None:
    await producer.send_and_wait(topic, message.encode(), key=message.key)


async def consume(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, handler: Handler) -> None:
    """Handle every record, for ever; an offset is committed once its record is dealt with."""
    async for record in consumer:
        await _deliver(record, producer, handler)
        await consumer.commit()


async def _deliver(record: ConsumerRecord, producer: AIOKafkaProducer, handler: Handler) -> None:
    try:
        await retry_async(lambda: handler(record), on=TRANSIENT, name=f"handle {record.topic}")
    except Exception as error:
        logger.exception("gave up on a message of %s", record.topic)
        await dead_letter(record, producer, error)


async def dead_letter(record: ConsumerRecord, producer: AIOKafkaProducer, error: Exception) -> None:
    await producer.send_and_wait(
        topics.dead_letters(record.topic),
        record.value,
        key=record.key,
        headers=[*otel_kit.dead_letter(record, error), error_header(error)],
    )
