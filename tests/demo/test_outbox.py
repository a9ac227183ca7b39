"""The outbox, and the relay that empties it into a real broker."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider

from demo.faults import Fault, switch
from demo.messaging import aio, topics
from demo.messaging.message import Message
from demo.services.broker.cluster import Cluster
from demo.services.orders import book, outbox
from demo.services.orders.placement import place
from demo.services.orders.relay import Relay
from demo.storage import inbox
from demo.storage.database import transaction
from tests.demo.conftest import Open


@pytest.fixture
def database(open_database: Open) -> sqlite3.Connection:
    return open_database(book.SCHEMA + outbox.SCHEMA)


@pytest.fixture
def tracer() -> Iterator[trace.Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    yield provider.get_tracer("test")
    provider.shutdown()


def test_an_order_and_its_messages_stand_together(database: sqlite3.Connection) -> None:
    """Placing an order writes its row and its two messages."""
    order = place(database, "request-1", "kettle", 2)
    assert book.find(database, order.id) == order
    rows = outbox.unsent(database)
    assert [row.topic for row in rows] == [topics.CREATED, topics.INVENTORY_COMMANDS]
    assert {row.message.order_id for row in rows} == {order.id}


def test_a_failed_transaction_leaves_no_message(database: sqlite3.Connection) -> None:
    """A message whose transaction fails was never written."""
    twice = Message("OrderCreated", "ORD-1")
    with transaction(database):
        inbox.remember(database, twice.id)
    with pytest.raises(sqlite3.IntegrityError):
        _append_once(database, twice)
    assert outbox.unsent(database) == []


def _append_once(database: sqlite3.Connection, message: Message) -> None:
    with transaction(database):
        outbox.append(database, topics.CREATED, message)
        inbox.remember(database, message.id)


def test_a_repeated_request_places_one_order(database: sqlite3.Connection) -> None:
    """The same request id gets the same order and writes nothing more."""
    first = place(database, "request-1", "kettle", 2)
    assert place(database, "request-1", "kettle", 2) == first
    assert len(outbox.unsent(database)) == 2


def test_a_row_continues_the_trace_of_its_transaction(
    database: sqlite3.Connection, tracer: trace.Tracer
) -> None:
    """What is done with a row later has the span of its transaction as its parent."""
    with tracer.start_as_current_span("placing"):
        placing = trace.get_current_span().get_span_context()
        place(database, "request-1", "cup", 1)
    row = outbox.unsent(database)[0]
    assert not trace.get_current_span().get_span_context().is_valid
    with outbox.continued(row):
        found = trace.get_current_span().get_span_context()
    assert (found.trace_id, found.span_id) == (placing.trace_id, placing.span_id)
    headers: dict[str, str] = {}
    propagate.inject(headers)
    assert headers == {}


async def sent_by(database: sqlite3.Connection, topic: str, count: int) -> list[Any]:
    """Let the relay empty the outbox; return the first so many records that arrive."""
    async with aio.producer("test") as producer, aio.consumer("test", topic) as consumer:
        await Relay(database, producer).send_all()
        return [await consumer.getone() for _ in range(count)]


async def test_the_relay_sends_each_row_in_order(
    database: sqlite3.Connection, broker: Cluster
) -> None:
    """Rows arrive in the order of writing, keyed by their order, and are sent once."""
    messages = [Message("OrderCreated", "ORD-1", {"n": n}) for n in range(5)]
    for message in messages:
        outbox.append(database, topics.CREATED, message)
    records = await sent_by(database, topics.CREATED, 5)
    assert [Message.decode(record.value) for record in records] == messages
    assert {record.key for record in records} == {b"ORD-1"}
    assert outbox.unsent(database) == []


async def test_duplicate_delivery_sends_the_same_message_twice(
    database: sqlite3.Connection, broker: Cluster
) -> None:
    """With the fault on, a message arrives twice under one id."""
    switch(Fault.DUPLICATE_DELIVERY, on=True)
    outbox.append(database, topics.CREATED, Message("OrderCreated", "ORD-1"))
    first, second = await sent_by(database, topics.CREATED, 2)
    assert Message.decode(first.value).id == Message.decode(second.value).id
