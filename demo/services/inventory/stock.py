"""The stock and who reserved of it."""

import sqlite3
from typing import Final

from demo.catalogue import ITEMS

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, available INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reservations (
    order_id TEXT PRIMARY KEY, sku TEXT NOT NULL, quantity INTEGER NOT NULL
);
"""


class OutOfStock(Exception):
    """There is not enough of the item."""


def fill(database: sqlite3.Connection) -> None:
    """Put the catalogue's items on the shelves, unless they are there."""
    database.executemany(
        "INSERT OR IGNORE INTO stock VALUES (?, ?)",
        [(sku, item.in_stock) for sku, item in ITEMS.items()],
    )


def reserve(database: sqlite3.Connection, order_id: str, sku: str, quantity: int) -> None:
    """Take from the stock for an order.

    Raises:
        OutOfStock: there is not enough.
    """
    taken = database.execute(
        "UPDATE stock SET available = available - ? WHERE sku = ? AND available >= ?",
        (quantity, sku, quantity),
    )
    if not taken.rowcount:
        raise OutOfStock(f"not {quantity} of {sku!r} left")
    database.execute("INSERT INTO reservations VALUES (?, ?, ?)", (order_id, sku, quantity))


def release(database: sqlite3.Connection, order_id: str) -> None:
    """Give back what the order reserved; nothing, if it reserved nothing."""
    reserved = database.execute(
        "DELETE FROM reservations WHERE order_id = ? RETURNING sku, quantity", (order_id,)
    ).fetchall()
    for sku, quantity in reserved:
        database.execute(
            "UPDATE stock SET available = available + ? WHERE sku = ?", (quantity, sku)
        )
