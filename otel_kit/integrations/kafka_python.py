"""
kafka-python: `KafkaProducer.send`, and every record that iterating a `KafkaConsumer` hands out.

A send ends when the broker acknowledges it: `send()` itself only fills a buffer.  A record's hop
ends when the next one is asked for: the loop body is the handler.  `poll()` returns a batch nobody
can be seen working through; write `with otel_kit.process(record):` there.

The span is current in the thread that iterates, until that thread asks again, or the consumer is
closed or unsubscribed.  So do not share that thread: `run_in_executor(pool, next, consumer)` leaves
the span current for the pool's next job.  `asyncio.to_thread(next, consumer)` leaves nothing
behind; `with otel_kit.process(record):` goes on with the span where the message is handled.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from kafka import errors
from kafka.consumer.fetcher import ConsumerRecord

from otel_kit.gauges.backlog import Known
from otel_kit.gauges.consumers import Message, Offsets, Partition, consumers_of
from otel_kit.hops import ActiveHop, Hop
from otel_kit.integrations._kafka import (
    BUSY,
    PATIENCE,
    SYSTEM,
    Groups,
    being_handled,
    error_classes,
    firsts,
    handled_up_to,
    record_hop,
    send_hop,
)
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


@integration.processes_each(
    "kafka:KafkaConsumer.__next__",
    closed=("kafka:KafkaConsumer.close", "kafka:KafkaConsumer.unsubscribe"),
)
def handed_out(record: ConsumerRecord, consumer: Any) -> Hop:
    groups.remember([record], consumer.config["group_id"])
    return record_hop(record, consumer.config["group_id"])


@integration.observes("kafka:KafkaConsumer.poll")
def polled(consumer: Any, records: Any) -> None:
    for partition in records.values():
        groups.remember(partition, consumer.config["group_id"])
    consumers.of(consumer).returned(firsts(records))


@integration.describes(ConsumerRecord)
def received(record: ConsumerRecord) -> Hop:
    return record_hop(record, groups.of(record))


# -- lag ----------------------------------------------------------------------------------------


class Lag:
    """What a consumer knows of its partitions."""

    system = SYSTEM

    def group(self, consumer: Any) -> str | None:
        group: str | None = consumer.config["group_id"]
        return group

    def partitions(self, consumer: Any, away: float) -> Mapping[Partition, Known]:
        if consumer._closed:
            return {}
        # The subscription's own methods take its lock; a copy of its dict needs none.
        assigned = dict(consumer._subscription.assignment)
        return {
            partition: Known(
                getattr(position, "offset", position),
                state.highwater,
                not state.paused and state.highwater is not None and away < BUSY,
            )
            for partition, state in assigned.items()
            if (position := state.position) is not None
        }

    def handling(self, consumer: Any) -> Iterable[Message]:
        return being_handled(integration.loops.handling(consumer))

    def ends(self, consumer: Any, partitions: list[Partition]) -> Offsets:
        if getattr(consumer, "_net", None) is None:
            return {}  # before 3.0 the connection belongs to the thread that polls
        found: Offsets = consumer.end_offsets(partitions, timeout_ms=int(PATIENCE * 1000))
        return found


consumers = consumers_of(Lag())


@integration.asks("kafka:KafkaConsumer.poll")
def asked(call: Call) -> None:
    # Iterating polls too, and moves the position on record by record.
    integration.loops.asked_again(call.instance)
    consumers.of(call.instance).asked(whole=call["update_offsets"])


@integration.asks("kafka:KafkaConsumer.commit", "kafka:KafkaConsumer.commit_async")
def committed(call: Call) -> None:
    consumers.of(call.instance).committed(handled_up_to(call["offsets"]))


@integration.asks("kafka:KafkaConsumer.close")
def closed(call: Call) -> None:
    consumers.forget(call.instance)
