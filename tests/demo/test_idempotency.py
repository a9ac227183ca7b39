"""A message that comes twice has one effect and gets the same answer."""

import sqlite3
from collections import namedtuple
from typing import Any

import httpx
import pytest

from demo.faults import Fault, switch
from demo.messaging import message as m
from demo.messaging import topics
from demo.messaging.message import Message
from demo.resilience.retry import Backoff
from demo.services.analytics import totals
from demo.services.bank import app as bank
from demo.services.billing import handlers as billing
from demo.services.billing.bank_client import BankClient, BankUnavailable, bank_breaker
from demo.services.inventory import handlers as inventory
from demo.services.inventory import stock
from demo.services.orders import book, outbox
from demo.services.orders.orchestrator import Orchestrator
from demo.services.orders.placement import place
from demo.services.orders.relay import Relay
from tests.demo.conftest import Open

ORDER = {"sku": "kettle", "quantity": 3, "amount_cents": 117_00}
Record = namedtuple("Record", "topic partition offset key value")


def available(database: sqlite3.Connection) -> int:
    (count,) = database.execute("SELECT available FROM stock WHERE sku = 'kettle'").fetchone()
    return int(count)


@pytest.fixture
def shelves(open_database: Open) -> sqlite3.Connection:
    database = open_database(stock.SCHEMA)
    stock.fill(database)
    return database


def test_stock_is_reserved_once(shelves: sqlite3.Connection) -> None:
    """A repeated ReserveInventory gets the first reply and takes nothing more."""
    before, command = available(shelves), Message(m.RESERVE_INVENTORY, "ORD-1", ORDER)
    first = inventory.handle(shelves, command)
    assert first.type == m.INVENTORY_RESERVED
    assert inventory.handle(shelves, command) == first
    assert available(shelves) == before - 3


def test_stock_is_released_once(shelves: sqlite3.Connection) -> None:
    """A repeated ReleaseInventory gives back once, and so does another one for the order."""
    before = available(shelves)
    inventory.handle(shelves, Message(m.RESERVE_INVENTORY, "ORD-1", ORDER))
    release = Message(m.RELEASE_INVENTORY, "ORD-1", ORDER)
    for command in (release, release, Message(m.RELEASE_INVENTORY, "ORD-1", ORDER)):
        assert inventory.handle(shelves, command).type == m.INVENTORY_RELEASED
    assert available(shelves) == before


def test_a_rejection_is_remembered(shelves: sqlite3.Connection) -> None:
    """Stock that comes back does not change the answer to a command already rejected."""
    command = Message(m.RESERVE_INVENTORY, "ORD-1", ORDER)
    switch(Fault.OUT_OF_STOCK, on=True)
    rejected = inventory.handle(shelves, command)
    switch(Fault.OUT_OF_STOCK, on=False)
    assert rejected.type == m.INVENTORY_REJECTED
    assert inventory.handle(shelves, command) == rejected


def test_a_failed_handler_can_be_repeated(shelves: sqlite3.Connection) -> None:
    """A release that failed has left no trace, so that its repeat does the work."""
    before = available(shelves)
    inventory.handle(shelves, Message(m.RESERVE_INVENTORY, "ORD-1", ORDER))
    release = Message(m.RELEASE_INVENTORY, "ORD-1", ORDER)
    switch(Fault.COMPENSATION_FAILS, on=True)
    with pytest.raises(inventory.WarehouseUnavailable):
        inventory.handle(shelves, release)
    switch(Fault.COMPENSATION_FAILS, on=False)
    inventory.handle(shelves, release)
    assert available(shelves) == before


async def test_a_customer_is_charged_once(open_database: Open) -> None:
    """A crash between the bank's charge and billing's commit does not charge twice."""
    database, command = open_database(billing.SCHEMA), Message(m.CHARGE_PAYMENT, "ORD-1", ORDER)
    transport = httpx.ASGITransport(bank.app)
    async with (
        bank.lifespan(bank.app),
        httpx.AsyncClient(transport=transport, base_url="http://bank") as http,
    ):
        client = BankClient(http, bank_breaker())
        first = await billing.handle(database, client, command)
        assert await billing.handle(database, client, command) == first
        database.execute("DELETE FROM inbox")  # as if billing had not committed
        database.execute("DELETE FROM payments")
        assert (await billing.handle(database, client, command)).type == m.PAYMENT_CHARGED
        charges = bank.app.state.database.execute("SELECT amount_cents FROM charges").fetchall()
    assert [tuple(charge) for charge in charges] == [(117_00,)]


async def test_a_bank_that_is_down_is_asked_five_times() -> None:
    """Billing gives up after five attempts, by when the breaker has opened."""
    switch(Fault.BANK_DOWN, on=True)
    transport, breaker = httpx.ASGITransport(bank.app), bank_breaker()
    async with (
        bank.lifespan(bank.app),
        httpx.AsyncClient(transport=transport, base_url="http://bank") as http,
    ):
        client = BankClient(http, breaker, Backoff(base=0.0))
        with pytest.raises(BankUnavailable, match="503"):
            await client.charge("ORD-1", 100, key="k")
    assert breaker.state == "open"


def reply(kind: str, order_id: str) -> Any:
    message = Message(kind, order_id)
    return Record(topics.REPLIES, 0, 0, message.key, message.encode())


async def test_the_orchestrator_hears_a_reply_once(open_database: Open) -> None:
    """A repeated reply sends no second command."""
    database = open_database(book.SCHEMA + outbox.SCHEMA)
    orchestrator = Orchestrator(database, Relay(database, producer=None))  # nothing is relayed
    order = place(database, "request-1", "kettle", 3)
    reserved = reply(m.INVENTORY_RESERVED, order.id)
    await orchestrator.hear(reserved)
    await orchestrator.hear(reserved)
    sent = [row.message.type for row in outbox.unsent(database)]
    assert sent == [m.ORDER_CREATED, m.RESERVE_INVENTORY, m.CHARGE_PAYMENT]


async def test_an_unreadable_dead_letter_fails_its_order(open_database: Open) -> None:
    """A dead letter nobody can read still names its order by the key."""
    database = open_database(book.SCHEMA + outbox.SCHEMA)
    orchestrator = Orchestrator(database, Relay(database, producer=None))
    order = place(database, "request-1", "kettle", 3)
    topic = topics.dead_letters(topics.INVENTORY_COMMANDS)
    await orchestrator.hear(Record(topic, 0, 7, order.id.encode(), b"\xff\xfe"))
    ended = book.find(database, order.id)
    assert ended is not None
    assert (ended.status, ended.outcome) == ("failed", "failed")


def test_analytics_counts_a_fact_once(open_database: Open) -> None:
    """A fact that comes twice, in one batch or two, is counted once."""
    database = open_database(totals.SCHEMA)
    facts = [Message(m.ORDER_CREATED, f"ORD-{n}", {"amount_cents": 100}) for n in range(3)]
    totals.add(database, [*facts, facts[0]])
    totals.add(database, facts)
    assert [tuple(row) for row in database.execute("SELECT * FROM totals")] == [
        (m.ORDER_CREATED, 3, 300)
    ]
