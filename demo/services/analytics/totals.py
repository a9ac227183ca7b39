"""The totals per kind of fact."""

import sqlite3
from collections.abc import Iterable
from typing import Final

from demo.messaging.message import Message
from demo.storage import inbox
from demo.storage.database import transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS totals (
    fact TEXT PRIMARY KEY, orders INTEGER NOT NULL, amount_cents INTEGER NOT NULL
);
"""


def add(database: sqlite3.Connection, facts: Iterable[Message]) -> None:
    """Count a batch in one transaction; what was counted before is left out."""
    with transaction(database):
        for fact in facts:
            if inbox.answer_to(database, fact.id) is None:
                inbox.remember(database, fact.id)
                _count(database, fact)


def _count(database: sqlite3.Connection, fact: Message) -> None:
    database.execute(
        "INSERT INTO totals VALUES (?, 1, ?) ON CONFLICT (fact) DO UPDATE"
        " SET orders = orders + 1, amount_cents = amount_cents + excluded.amount_cents",
        (fact.type, fact.data.get("amount_cents", 0)),
    )
