"""Kafka by kafka-python: how the synchronous services consume and publish."""

import logging
from collections.abc import Callable
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer

import otel_kit
from demo import config
from demo.messaging import topics
from demo.messaging.delivery import TRANSIENT, error_header, fetch_options
from demo.messaging.message import Message
from demo.resilience.retry import retry

Handler = Callable[[Any], None]

RECONNECT_MS: Final = 1_000
"""Between two tries to reach a broker that is away, at most; kafka-python's own default is 30 s."""

logger = logging.getLogger(__name__)


def consumer(group: str, *names: str, on_assigned: Callable[[], None]) -> KafkaConsumer:
    """Return a consumer whose ``for`` loop ends when idle, so that its owner can look around."""
    consumer = KafkaConsumer(
        bootstrap_servers=config.bootstrap_servers(),
        group_id=group,
        client_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        consumer_timeout_ms=200,
        reconnect_backoff_max_ms=RECONNECT_MS,
        **fetch_options(),
        **_protocol_version(),
    )
    consumer.subscribe(list(names), listener=_Assigned(on_assigned))
    for name in names:
        # Learnt before joining the group, or kafka-python joins twice: the second takes long.
        consumer.partitions_for_topic(name)
    return consumer


def producer(client_id: str) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=config.bootstrap_servers(),
        client_id=client_id,
        acks="all",
        request_timeout_ms=10_000,
        reconnect_backoff_max_ms=RECONNECT_MS,
        **_protocol_version(),
    )


def publish(producer: KafkaProducer, topic: str, message: Message) -> None:
    producer.send(topic, message.encode(), key=message.key).get(timeout=10)


def deliver(record: Any, producer: KafkaProducer, handler: Handler) -> None:
    """Handle one record, or put it into the dead-letter topic."""
    try:
        retry(lambda: handler(record), on=TRANSIENT, name=f"handle {record.topic}")
    except Exception as error:
        logger.exception("gave up on a message of %s", record.topic)
        dead_letter(record, producer, error)


def dead_letter(record: Any, producer: KafkaProducer, error: Exception) -> None:
    producer.send(
        topics.dead_letters(record.topic),
        record.value,
        key=record.key,
        headers=[*otel_kit.dead_letter(record, error), error_header(error)],
    ).get(timeout=10)


def _protocol_version() -> dict[str, Any]:
    # kafka-python 3 asks for a newer version handshake than librdkafka's cluster can answer.
    return {"api_version": (2, 3)} if config.broker_is_in_memory() else {}


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def on_partitions_assigned(self, assigned: Any) -> None:
        if assigned:
            self._callback()

    def on_partitions_revoked(self, revoked: Any) -> None:
        pass
