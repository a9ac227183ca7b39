"""Real databases, by DB-API: SQLite in a file, and PostgreSQL."""

import sqlite3
from typing import Any

from tests.servers.postgresql import PostgreSQL

SCHEMA = "CREATE TABLE outbox (id {key}, topic TEXT NOT NULL, body TEXT, headers {json})"


class Database:
    """A file; each connection is the driver's own, and begins a transaction by itself."""

    def __init__(self, path: str) -> None:
        self.place = path

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"sqlite:///{self.place}"

    def connect(self) -> Any:
        return sqlite3.connect(self.place)

    def sql(self, statement: str) -> str:
        """With this driver's placeholders and types."""
        return statement.format(key="INTEGER PRIMARY KEY", json="TEXT", p="?")


class Served(Database):
    """The one database of PostgreSQL's."""

    def __init__(self, server: PostgreSQL) -> None:
        self._server = server
        self.place = server.place

    @property
    def url(self) -> str:
        return self._server.url

    def connect(self) -> Any:
        return self._server.connect()

    def sql(self, statement: str) -> str:
        return statement.format(key="SERIAL PRIMARY KEY", json="JSONB", p="%s")
