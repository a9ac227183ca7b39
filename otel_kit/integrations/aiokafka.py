"""
aiokafka: `AIOKafkaProducer.send`, and every record that `getone` hands out.

A send ends when the broker acknowledges it: `send()` itself only fills a buffer.  `send_and_wait`
calls it, and `async for` calls `getone`, so both are seen.  A record's hop ends when the next one
is asked for: the loop body is the handler.  `getmany()` returns a batch nobody can be seen working
through; write `with otel_kit.process(records):` there.

The span is current in the task that `getone` runs in.  `asyncio.wait_for(consumer.getone(), 5)`
runs it in a task of its own before Python 3.12, and so does `create_task`: the code that awaits it
is outside of the span until it says `with otel_kit.process(record):`, which goes on with it.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import ConsumerRecord, errors
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from otel_kit.gauges.backlog import Known
from otel_kit.gauges.consumers import Message, Offsets, Partition, consumers_of
from otel_kit.gauges.sampler import on_loop
from otel_kit.hops import Hop
from otel_kit.integrations._futures import acknowledged
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
    "aiokafka",
    supports="aiokafka>=0.10,<1",
    contrib=("opentelemetry.instrumentation.aiokafka:AIOKafkaInstrumentor",),
    errors=error_classes(errors),
)
groups = Groups()
_PURE_PYTHON = DefaultRecordBatchBuilder.__module__ == "aiokafka.record.default_records"


def accepted(headers: Any) -> bool:
    """aiokafka's C extension insists on a list, its Python code takes a tuple as well."""
    return not headers or isinstance(headers, (list, tuple) if _PURE_PYTHON else list)


@integration.sends("aiokafka:AIOKafkaProducer.send", ends=acknowledged)
def send(call: Call) -> Hop:
    return send_hop(call, call.instance.client._bootstrap_servers, accepted)


@integration.processes_each(
    "aiokafka:AIOKafkaConsumer.getone",
    closed=("aiokafka:AIOKafkaConsumer.stop", "aiokafka:AIOKafkaConsumer.unsubscribe"),
)
def handed_out(record: "ConsumerRecord[Any, Any]", consumer: Any) -> Hop:
    consumers.of(consumer)  # it may have been started before it could be seen
    groups.remember([record], consumer._group_id)
    return record_hop(record, consumer._group_id)


@integration.observes("aiokafka:AIOKafkaConsumer.getmany")
def polled(consumer: Any, records: Any) -> None:
    for partition in records.values():
        groups.remember(partition, consumer._group_id)
    consumers.of(consumer).returned(firsts(records))


@integration.describes(ConsumerRecord)
def received(record: "ConsumerRecord[Any, Any]") -> Hop:
    return record_hop(record, groups.of(record))


# -- lag ----------------------------------------------------------------------------------------


class Lag:
    """What a consumer knows of its partitions; it fetches by itself, whatever is asked of it."""

    system = SYSTEM

    def group(self, consumer: Any) -> str | None:
        group: str | None = consumer._group_id
        return group

    def partitions(self, consumer: Any, away: float) -> Mapping[Partition, Known]:
        subscription = consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None or consumer._closed:
            return {}
        recently = (time.time() - BUSY) * 1000
        return {
            partition: Known(
                state.position, state.highwater, not state.paused and fetched_at > recently
            )
            for partition in assignment.tps
            if (state := assignment.state_value(partition)).has_valid_position
            for fetched_at in [state.timestamp or 0]
        }

    def handling(self, consumer: Any) -> Iterable[Message]:
        return being_handled(integration.loops.handling(consumer))

    def ends(self, consumer: Any, partitions: list[Partition]) -> Offsets:
        found: Offsets = on_loop(consumer._loop, lambda: consumer.end_offsets(partitions), PATIENCE)
        return found


consumers = consumers_of(Lag())


@integration.asks("aiokafka:AIOKafkaConsumer.start")
def started(call: Call) -> None:
    consumers.of(call.instance)


@integration.asks("aiokafka:AIOKafkaConsumer.getmany")
def asked(call: Call) -> None:
    integration.loops.asked_again(call.instance)
    consumers.of(call.instance).asked()


@integration.asks("aiokafka:AIOKafkaConsumer.commit")
def committed(call: Call) -> None:
    consumers.of(call.instance).committed(handled_up_to(call["offsets"]))


@integration.asks("aiokafka:AIOKafkaConsumer.stop")
def closed(call: Call) -> None:
    consumers.forget(call.instance)
