"""RabbitMQ for the harnesses of its clients, and py-amqp, a client that nobody instruments."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import amqp

from otel_kit.testing.contract.messaging import Broker, Headers
from tests.servers.rabbitmq import RabbitMQ

FULL, UNROUTABLE = "FULL", "UNROUTABLE"
REFUSALS = {FULL: "unavailable", UNROUTABLE: "client_error"}
"""A queue that takes no more, and one that is not there."""
_PATIENCE = 10.0


class Rabbit(Broker):
    """A node; each topic is a queue with another one for its dead letters."""

    def __init__(self) -> None:
        self.server = RabbitMQ.shared()
        self._lock = threading.Lock()

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        with self._lock, amqp.Connection(self.server.address, confirm_publish=True) as connection:
            yield connection.channel()

    def topic(self, **arguments: Any) -> str:
        name = f"orders-{uuid.uuid4().hex[:12]}"
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_letters_of(name)}
        with self._channel() as channel:
            for queue, more in ((name, {**dead, **arguments}), (dead_letters_of(name), {})):
                channel.queue_declare(queue, durable=True, auto_delete=False, arguments=more)
        return name

    def full(self) -> str:
        """A queue that takes no more."""
        return self.topic(**{"x-max-length": 0, "x-overflow": "reject-publish"})

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        options = {}
        if timestamp_ms is not None:
            options["timestamp"] = timestamp_ms // 1000
        table = {name: value if value is None else value.decode() for name, value in headers}
        message = amqp.Message(b"value", application_headers=table, delivery_mode=2, **options)
        with self._channel() as channel:
            channel.basic_publish(message, routing_key=topic)

    def received(self, topic: str, count: int) -> list[Headers]:
        found: list[Headers] = []
        end = time.monotonic() + _PATIENCE
        with self._channel() as channel:
            while len(found) < count:
                assert time.monotonic() < end, "a message is missing"
                message = channel.basic_get(topic, no_ack=True)
                if message is not None:
                    table = message.properties.get("application_headers", {})
                    found.append([(name, str(value).encode()) for name, value in table.items()])
        return found

    def waiting(self, topic: str) -> int:
        """How many messages wait in a queue."""
        with self._channel() as channel:
            return int(channel.queue_declare(topic, passive=True).message_count)

    def delete(self, topic: str) -> None:
        with self._channel() as channel:
            channel.queue_delete(topic)

    def close(self) -> None:
        """It goes on: the next scenario finds it as good as new."""

    def restart(self) -> None:
        self.server.restart()


def dead_letters_of(topic: str) -> str:
    return f"{topic}.dead"


class OnRabbitMQ:
    """Where the harnesses of RabbitMQ's clients find their broker."""

    transport: ClassVar[str] = "rabbitmq"
    brokers = Rabbit
    broker: Rabbit
