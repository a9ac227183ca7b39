"""The order book: the table of orders."""

import sqlite3
import uuid
from dataclasses import dataclass
from typing import Final, Self

from demo.catalogue import ITEMS
from demo.services.orders.transitions import Status, Transition

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount_cents INTEGER NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT NOT NULL DEFAULT ''
);
"""


@dataclass(frozen=True)
class OrderRow:
    """One order; ``outcome`` is empty while its saga runs."""

    id: str
    request_id: str
    sku: str
    quantity: int
    amount_cents: int
    status: str = Status.RESERVING
    outcome: str = ""

    @classmethod
    def new(cls, request_id: str, sku: str, quantity: int) -> Self:
        order_id = f"ORD-{uuid.uuid4().hex[:10].upper()}"
        return cls(order_id, request_id, sku, quantity, ITEMS[sku].price_cents * quantity)


def add(database: sqlite3.Connection, order: OrderRow) -> None:
    database.execute(
        "INSERT INTO orders VALUES"
        " (:id, :request_id, :sku, :quantity, :amount_cents, :status, :outcome)",
        vars(order),
    )


def find(database: sqlite3.Connection, order_id: str) -> OrderRow | None:
    return _only(database.execute("SELECT * FROM orders WHERE id = ?", (order_id,)))


def find_request(database: sqlite3.Connection, request_id: str) -> OrderRow | None:
    return _only(database.execute("SELECT * FROM orders WHERE request_id = ?", (request_id,)))


def advance(database: sqlite3.Connection, order_id: str, transition: Transition) -> None:
    database.execute(
        "UPDATE orders SET status = ?, outcome = ? WHERE id = ?",
        (transition.status, transition.outcome or "", order_id),
    )


def _only(rows: sqlite3.Cursor) -> OrderRow | None:
    row = rows.fetchone()
    return OrderRow(**row) if row else None
