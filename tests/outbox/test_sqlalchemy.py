"""The outbox by SQLAlchemy: rows that stamp themselves, and hops that end with the transaction."""

import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import (
    Engine,
    create_engine,
    insert,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import otel_kit
from otel_kit import names
from otel_kit.outbox._sqlalchemy import _pending
from otel_kit.testing import Telemetry
from tests.outbox.databases import Database
from tests.outbox.model import Message, continues, outcomes, stored, table


def test_the_orm_stamps_a_row_as_it_is_flushed(telemetry: Telemetry, engine: Engine) -> None:
    """By one line of the model; the hop ends with the transaction, and its saga is stored."""
    with Session(engine) as session:
        with otel_kit.saga("o-1"):
            session.add(Message(topic="created"))
            session.flush()
        assert outcomes(telemetry) == {}
        session.commit()
    headers = stored(engine)["created"]

    assert outcomes(telemetry) == {"created": None}
    assert headers["baggage"] == "saga.id=o-1,saga.name=saga"
    assert continues(telemetry, "created", headers)


@pytest.mark.parametrize(
    "write",
    [
        lambda c: [c.execute(insert(table).values(topic=topic)) for topic in "abc"],
        lambda c: c.execute(insert(table), [{"topic": topic} for topic in "abc"]),
        lambda c: c.execute(insert(table).values([{"topic": topic} for topic in "abc"])),
        lambda c: c.execute(insert(table).returning(table.c.id), [{"topic": t} for t in "abc"]),
    ],
    ids=["one by one", "many", "values", "returning"],
)
def test_core_stamps_every_row(
    write: Callable[[Any], object], telemetry: Telemetry, engine: Engine
) -> None:
    """However many one statement writes: each is a hop to where it goes."""
    with engine.begin() as connection:
        write(connection)
        assert outcomes(telemetry) == {}

    assert outcomes(telemetry) == {"a": None, "b": None, "c": None}
    assert all(continues(telemetry, topic, headers) for topic, headers in stored(engine).items())


def test_the_orm_stamps_many_rows(telemetry: Telemetry, engine: Engine) -> None:
    """By its flush of several objects, and by its bulk insert."""
    with Session(engine) as session, session.begin():
        session.add_all([Message(topic=topic) for topic in "abc"])
        session.flush()
        session.execute(insert(Message), [{"topic": topic} for topic in "de"])

    assert outcomes(telemetry) == dict.fromkeys("abcde")
    assert all(continues(telemetry, topic, headers) for topic, headers in stored(engine).items())


def test_what_is_rolled_back_was_not_sent(telemetry: Telemetry, engine: Engine) -> None:
    """By the application, by an exception, or by closing the session."""
    with Session(engine) as session:
        session.add(Message(topic="by hand"))
        session.flush()
        session.rollback()
        session.add(Message(topic="closed"))
        session.flush()
    with suppress(KeyError), Session(engine) as session, session.begin():
        session.add(Message(topic="raised"))
        session.flush()
        raise KeyError

    assert outcomes(telemetry) == dict.fromkeys(["by hand", "closed", "raised"], "cancelled")
    assert telemetry.count(names.HOP_DURATION, error_class="cancelled") == 3
    assert telemetry.count(names.HOP_DURATION) == 3
    assert stored(engine) == {}


def test_a_row_that_the_database_refuses_was_not_sent(telemetry: Telemetry, engine: Engine) -> None:
    """The insert itself fails, and the application sees its error."""
    with Session(engine) as session:
        session.execute(insert(table).values(id=1, topic="first"))
        session.commit()
        with pytest.raises(IntegrityError):
            session.execute(insert(table).values(id=1, topic="second"))
        session.rollback()

    assert outcomes(telemetry) == {"first": None, "second": "cancelled"}


def test_a_savepoint_that_is_rolled_back_takes_its_rows_along(
    telemetry: Telemetry, engine: Engine
) -> None:
    """And no others: what was released, or written before and after, is committed."""
    with Session(engine) as session, session.begin():
        session.execute(insert(table).values(topic="before"))
        with session.begin_nested():
            session.execute(insert(table).values(topic="released"))
        with session.begin_nested() as savepoint:
            session.execute(insert(table).values(topic="gone"))
            with session.begin_nested():
                session.execute(insert(table).values(topic="gone too"))
            savepoint.rollback()
        assert outcomes(telemetry) == {"gone": "cancelled", "gone too": "cancelled"}
        session.execute(insert(table).values(topic="after"))

    gone = {"gone": "cancelled", "gone too": "cancelled"}
    assert outcomes(telemetry) == {"before": None, "released": None, "after": None, **gone}
    assert list(stored(engine)) == ["before", "released", "after"]


def test_a_savepoint_from_before_the_first_row(telemetry: Telemetry, engine: Engine) -> None:
    """Nothing had been written when it began: the rows within are known to be in it."""
    with engine.begin() as connection:
        with connection.begin_nested() as savepoint:
            connection.execute(insert(table).values(topic="gone"))
            savepoint.rollback()
        connection.execute(insert(table).values(topic="stays"))

    assert outcomes(telemetry) == {"gone": "cancelled", "stays": None}
    assert list(stored(engine)) == ["stays"]


def test_a_connection_has_many_transactions(telemetry: Telemetry, engine: Engine) -> None:
    """One after the other, each with an outcome of its own, and nothing is kept of it."""
    with engine.connect() as connection:
        for number in range(3):
            connection.execute(insert(table).values(topic=f"sent {number}"))
            connection.commit()
            connection.execute(insert(table).values(topic=f"gone {number}"))
            connection.rollback()
    del connection
    gc.collect()

    assert list(outcomes(telemetry).values()) == [None, "cancelled"] * 3
    assert _pending.values() == []


@pytest.mark.parametrize("way", ["engine", "connection"])
def test_without_transactions_a_row_is_sent_at_once(
    way: str, telemetry: Telemetry, database: Database
) -> None:
    """With the isolation level AUTOCOMMIT nothing is rolled back, though SQLAlchemy says so."""
    level = {"isolation_level": "AUTOCOMMIT"}
    engine = create_engine(database.url, **(level if way == "engine" else {}))
    with engine.connect() as connection:
        if way == "connection":
            connection = connection.execution_options(**level)
        connection.execute(insert(table).values(topic="created"))
        assert outcomes(telemetry) == {"created": None}
    engine.dispose()

    assert outcomes(telemetry) == {"created": None}
