"""Processes that end in the middle: the writer's, and the relay's."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.outbox.databases import Database, Served

ROOT = Path(__file__).parents[2]
DIES = 9
PROGRAM = """
import os, sys, sqlite3, psycopg
import otel_kit
from otel_kit.testing import capture

driver, place, doing = sys.argv[1:]
connection = psycopg.connect(place) if driver == "postgresql" else sqlite3.connect(place)
insert = "INSERT INTO outbox (topic, headers) VALUES ('created', {p})"
with capture("dying", integrations=["requests"]):
    if doing == "write":
        with otel_kit.outbox.transaction():
            stamp = otel_kit.outbox.stamp("created")
            connection.execute(insert.format(p="%s" if driver == "postgresql" else "?"), (stamp,))
            os._exit(9)
    for headers, topic in connection.execute("SELECT headers, topic FROM outbox").fetchall():
        with otel_kit.outbox.relay(headers, topic):
            connection.execute("DELETE FROM outbox")
            os._exit(9)
"""


def dies(database: Database, doing: str) -> None:
    """In another process, before it has committed."""
    driver = "postgresql" if isinstance(database, Served) else "sqlite"
    command = [sys.executable, "-c", PROGRAM, driver, database.place, doing]
    assert subprocess.run(command, cwd=ROOT).returncode == DIES


def rows(database: Database) -> list[tuple[object, str]]:
    with closing(database.connect()) as connection:
        return list(connection.execute("SELECT headers, topic FROM outbox").fetchall())


def test_a_writer_that_dies_leaves_no_row(database: Database) -> None:
    """Neither does it leave a span: the hop would have ended with the commit."""
    dies(database, "write")

    assert rows(database) == []


def test_a_row_whose_relay_died_is_relayed_again(telemetry: Telemetry, database: Database) -> None:
    """Its wait goes on until the relay that sends it, in the trace of its writing."""
    with closing(database.connect()) as connection:
        insert = database.sql("INSERT INTO outbox (topic, headers) VALUES ('created', {p})")
        connection.execute(insert, (otel_kit.outbox.stamp("created"),))
        connection.commit()
    dies(database, "relay")
    [(headers, topic)] = rows(database)
    relaying = capture("relay", integrations=["requests"])
    with relaying as relay, otel_kit.outbox.relay(headers, topic):
        pass
    written, relayed = telemetry.span("send created"), relay.span("process created")

    assert relayed.parent is not None
    assert relayed.parent.span_id == (written.context and written.context.span_id)
    assert relay.count(names.QUEUE_DURATION, client="orders", transport="outbox") == 1
