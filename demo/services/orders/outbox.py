"""The outbox: messages written in the transaction of the change they tell of.

A crash between database and broker loses nothing and invents nothing: the row is there or
it is not, and the relay sends what is there.  Each row keeps the trace context of its
moment, so that the relay's send, which happens later and elsewhere, continues that trace.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from opentelemetry import context, propagate

from demo.messaging.message import Message

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    message BLOB NOT NULL,
    context TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS outbox_unsent ON outbox (position) WHERE NOT sent;
"""


@dataclass(frozen=True)
class OutboxRow:
    """A message to be sent; ``context`` holds the W3C headers of the moment it was written."""

    position: int
    topic: str
    message: Message
    context: dict[str, str]


def append(database: sqlite3.Connection, topic: str, message: Message) -> None:
    """Add a message within the caller's transaction."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    database.execute(
        "INSERT INTO outbox (topic, message, context) VALUES (?, ?, ?)",
        (topic, message.encode(), json.dumps(headers)),
    )


def unsent(database: sqlite3.Connection, limit: int = 100) -> list[OutboxRow]:
    rows = database.execute(
        "SELECT position, topic, message, context FROM outbox WHERE NOT sent"
        " ORDER BY position LIMIT ?",
        (limit,),
    )
    return [
        OutboxRow(position, topic, Message.decode(message), json.loads(headers))
        for position, topic, message, headers in rows
    ]


def depth(database: sqlite3.Connection) -> int:
    """How many messages wait to be sent."""
    (count,) = database.execute("SELECT count(*) FROM outbox WHERE NOT sent").fetchone()
    return int(count)


def mark_sent(database: sqlite3.Connection, row: OutboxRow) -> None:
    database.execute("UPDATE outbox SET sent = 1 WHERE position = ?", (row.position,))


@contextmanager
def continued(row: OutboxRow) -> Iterator[None]:
    """What happens within belongs to the trace the row was written in."""
    token = context.attach(propagate.extract(row.context))
    try:
        yield
    finally:
        context.detach(token)
