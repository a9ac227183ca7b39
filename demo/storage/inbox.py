"""The inbox: which messages were handled, and what was answered.

Brokers deliver at least once.  A consumer remembers the id of each message in the
transaction of its effect, so a message that comes again has no second effect and gets the
same answer.
"""

import sqlite3
from typing import Final

import otel_kit

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS inbox (event_id TEXT PRIMARY KEY, answer BLOB NOT NULL);
"""


def answer_to(database: sqlite3.Connection, event_id: str) -> bytes | None:
    """Return what was answered to this message, or None if it was never handled.

    To be asked by who handles it: a message that was handled before is a duplicate.
    """
    row = database.execute("SELECT answer FROM inbox WHERE event_id = ?", (event_id,)).fetchone()
    if row is None:
        return None
    otel_kit.duplicate()
    return bytes(row["answer"])


def remember(database: sqlite3.Connection, event_id: str, answer: bytes = b"") -> None:
    """Note within the transaction of the effect that this message is handled.

    Raises:
        sqlite3.IntegrityError: it already was.
    """
    database.execute("INSERT INTO inbox VALUES (?, ?)", (event_id, answer))
