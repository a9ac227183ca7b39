"""A Kafka broker in this process: librdkafka's in-memory cluster, which speaks the real protocol.

`confluent_kafka` can start one by `test.mock.num.brokers`, but only librdkafka's own C interface
(`rdkafka_mock.h`) sets how it behaves: no delay before a group's first rebalance, topics of one
partition, requests that fail.  kafka-python needs `api_version=API_VERSION` with it.
"""

import ctypes
import uuid
from functools import cache
from typing import Any, ClassVar, Self

from confluent_kafka import cimpl
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_kit.testing.contract.messaging import Broker, Headers

API_VERSION = (2, 3, 0)
REFUSALS = {"MESSAGE_TOO_LARGE": "client_error", "REQUEST_TIMED_OUT": "timeout"}
"""Errors of the Kafka protocol that the broker can be made to answer with, and their classes."""
_CODES = {"MESSAGE_TOO_LARGE": 10, "REQUEST_TIMED_OUT": 7, "NETWORK_EXCEPTION": 13}

_PRODUCE = 0
_PRODUCER = 0


@cache
def _librdkafka() -> ctypes.CDLL:
    library = ctypes.CDLL(cimpl.__file__)
    for name, result in (
        ("rd_kafka_conf_new", ctypes.c_void_p),
        ("rd_kafka_new", ctypes.c_void_p),
        ("rd_kafka_mock_cluster_new", ctypes.c_void_p),
        ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p),
    ):
        getattr(library, name).restype = result
    return library


class Kafka(Broker):
    """A cluster of one, and an uninstrumented client of it."""

    def __init__(self) -> None:
        self._library = _librdkafka()
        reason = ctypes.create_string_buffer(512)
        config = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._library.rd_kafka_conf_set(config, b"log_level", b"0", reason, 512)
        handle = self._library.rd_kafka_new(_PRODUCER, config, reason, ctypes.c_size_t(512))
        assert handle, reason.value
        self._handle = ctypes.c_void_p(handle)
        cluster = self._library.rd_kafka_mock_cluster_new(self._handle, 1)
        self._cluster = ctypes.c_void_p(cluster)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        found = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.bootstrap: str = found.decode()
        # The type itself: OpenTelemetry's instrumentation puts another in its place.
        self._producer = cimpl.Producer({"bootstrap.servers": self.bootstrap})

    @classmethod
    def alone(cls) -> Self:
        return cls()

    def close(self) -> None:
        """Stop the broker; everything in it is gone."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def topic(self) -> str:
        """A new topic of one partition."""
        name = f"orders-{uuid.uuid4().hex[:12]}"
        failed = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), 1, 1)
        assert not failed
        return name

    def refuse(self, why: str, times: int) -> None:
        """Answer the next `times` produce requests with this error of the protocol's."""
        codes = (ctypes.c_int * times)(*[_CODES[why]] * times)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(_PRODUCE), ctypes.c_size_t(times), codes
        )

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        """Put a message into a topic; returns when the broker has it."""
        options = {} if timestamp_ms is None else {"timestamp": timestamp_ms}
        with suppress_instrumentation():
            self._producer.produce(topic, b"value", headers=headers, **options)
            assert self._producer.flush(10) == 0

    def received(self, topic: str, count: int) -> list[Headers]:
        """The headers of the first `count` messages of a topic."""
        consumer: Any = cimpl.Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "unused", "fetch.wait.max.ms": 10}
        )
        try:
            with suppress_instrumentation():
                consumer.assign([cimpl.TopicPartition(topic, 0, 0)])
                messages = [consumer.poll(10) for _ in range(count)]
            assert None not in messages, "a message is missing"
            return [message.headers() or [] for message in messages]
        finally:
            consumer.close()


class OnKafka:
    """Where the harnesses of Kafka's clients find their broker."""

    transport: ClassVar[str] = "kafka"
    brokers = Kafka
    broker: Kafka
