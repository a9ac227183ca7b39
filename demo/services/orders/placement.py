"""Placing an order: its row and its first messages, in one transaction."""

import sqlite3

import otel_kit
from demo.messaging import message, topics
from demo.messaging.message import Message
from demo.services.orders import book, outbox
from demo.services.orders.book import OrderRow
from demo.storage.database import transaction


def place(database: sqlite3.Connection, request_id: str, sku: str, quantity: int) -> OrderRow:
    """Start the saga of a new order; a request that comes again gets the order it made."""
    if (known := book.find_request(database, request_id)) is not None:
        return known
    order = OrderRow.new(request_id, sku, quantity)
    with otel_kit.saga(order.id, name="order"), transaction(database):
        book.add(database, order)
        outbox.append(database, topics.CREATED, _created(order))
        outbox.append(
            database, topics.INVENTORY_COMMANDS, command(message.RESERVE_INVENTORY, order)
        )
    return order


def command(kind: str, order: OrderRow) -> Message:
    """Return a command to a participant, with what it needs to know of the order."""
    data = {"sku": order.sku, "quantity": order.quantity, "amount_cents": order.amount_cents}
    return Message(kind, order.id, data)


def _created(order: OrderRow) -> Message:
    return Message(message.ORDER_CREATED, order.id, {"amount_cents": order.amount_cents})
