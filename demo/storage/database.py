"""One SQLite file per service."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import config
from demo.storage import inbox


def open_database(service: str, schema: str) -> sqlite3.Connection:
    """Open the database of one service, with its tables and an inbox.

    Statements take well under a millisecond, so services that run an event loop use the
    connection from it directly.
    """
    folder = config.directory() / "databases"
    folder.mkdir(parents=True, exist_ok=True)
    return connect(folder / f"{service}.db", schema)


def connect(path: Path, schema: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(inbox.SCHEMA + schema)
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All statements within happen, or none.  Never ``await`` within one."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
