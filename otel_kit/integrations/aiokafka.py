"""
aiokafka: `AIOKafkaProducer.send`, and every record that `getone` hands out.

A send ends when the broker acknowledges it: `send()` itself only fills a buffer.  `send_and_wait`
calls it, and `async for` calls `getone`, so both are seen.  A record's hop ends when the next one
is asked for: the loop body is the handler.  `getmany()` returns a batch nobody can be seen working
through; write `with otel_kit.process(records):` there.
"""

import asyncio
from typing import Any

from aiokafka import ConsumerRecord, errors
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from otel_kit.hops import ActiveHop, Hop
from otel_kit.integrations._kafka import Groups, error_classes, record_hop, send_hop
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "aiokafka",
    supports="aiokafka>=0.10,<1",
    contrib=("opentelemetry.instrumentation.aiokafka:AIOKafkaInstrumentor",),
    errors=error_classes(errors),
)
groups = Groups()
_PURE_PYTHON = DefaultRecordBatchBuilder.__module__ == "aiokafka.record.default_records"


def acknowledged(hop: ActiveHop, future: "asyncio.Future[Any]") -> None:
    def done(future: "asyncio.Future[Any]") -> None:
        # `exception()` would count as looking at it, and asyncio would no longer tell the
        # application of an error that nobody awaited.
        error = getattr(future, "_exception", None)
        hop.end(asyncio.CancelledError() if future.cancelled() else error)

    future.add_done_callback(done)


def accepted(headers: Any) -> bool:
    """aiokafka's C extension insists on a list, its Python code takes a tuple as well."""
    return not headers or isinstance(headers, (list, tuple) if _PURE_PYTHON else list)


@integration.sends("aiokafka:AIOKafkaProducer.send", ends=acknowledged)
def send(call: Call) -> Hop:
    return send_hop(call, call.instance.client._bootstrap_servers, accepted)


@integration.processes_each(
    "aiokafka:AIOKafkaConsumer.getone", closed=("aiokafka:AIOKafkaConsumer.stop",)
)
def handed_out(record: "ConsumerRecord[Any, Any]", consumer: Any) -> Hop:
    return record_hop(record, groups.remember(record.topic, consumer._group_id))


@integration.observes("aiokafka:AIOKafkaConsumer.getmany")
def polled(consumer: Any, records: Any) -> None:
    for partition in records:
        groups.remember(partition.topic, consumer._group_id)


@integration.describes(ConsumerRecord)
def received(record: "ConsumerRecord[Any, Any]") -> Hop:
    return record_hop(record, groups.of(record.topic))
