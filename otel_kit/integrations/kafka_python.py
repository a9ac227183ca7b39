"""
kafka-python: `KafkaProducer.send`, and every record that iterating a `KafkaConsumer` hands out.

A send ends when the broker acknowledges it: `send()` itself only fills a buffer.  A record's hop
ends when the next one is asked for: the loop body is the handler.  `poll()` returns a batch nobody
can be seen working through; write `with otel_kit.process(record):` there.
"""

from typing import Any

from kafka import errors
from kafka.consumer.fetcher import ConsumerRecord

from otel_kit.hops import ActiveHop, Hop
from otel_kit.integrations._kafka import Groups, error_classes, record_hop, send_hop
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "kafka-python",
    supports="kafka-python>=2.0.2,<4",
    contrib=("opentelemetry.instrumentation.kafka:KafkaInstrumentor",),
    errors=error_classes(errors),
)
groups = Groups()


def acknowledged(hop: ActiveHop, future: Any) -> None:
    future.add_callback(lambda _: hop.end())
    future.add_errback(hop.end)


def accepted(headers: Any) -> bool:
    return headers is None or isinstance(headers, list)


@integration.sends("kafka:KafkaProducer.send", ends=acknowledged)
def send(call: Call) -> Hop:
    return send_hop(call, call.instance.config["bootstrap_servers"], accepted)


@integration.processes_each("kafka:KafkaConsumer.__next__", closed=("kafka:KafkaConsumer.close",))
def handed_out(record: ConsumerRecord, consumer: Any) -> Hop:
    return record_hop(record, groups.remember(record.topic, consumer.config["group_id"]))


@integration.observes("kafka:KafkaConsumer.poll")
def polled(consumer: Any, records: Any) -> None:
    for partition in records:
        groups.remember(partition.topic, consumer.config["group_id"])


@integration.describes(ConsumerRecord)
def received(record: ConsumerRecord) -> Hop:
    return record_hop(record, groups.of(record.topic))
