"""The outbox by SQLAlchemy: rows that stamp themselves, and hops that end with the transaction."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from enum import Enum
from typing import Any

import pytest
import sqlalchemy
from opentelemetry.trace import SpanKind
from sqlalchemy import (
    JSON,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import otel_kit
from otel_kit import names
from otel_kit.outbox._sqlalchemy import _pending
from otel_kit.testing import Telemetry, capture
from tests.outbox.databases import Database

PRODUCER = SpanKind.PRODUCER


class Base(DeclarativeBase):
    pass


class Message(Base):
    """As an application writes it; one line is the kit's."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str]
    body: Mapped[str | None]
    headers: Mapped[dict[str, str]] = mapped_column(
        JSON, default=otel_kit.outbox.stamped(column="topic")
    )


table: Table = Message.metadata.tables["outbox"]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders", integrations=["requests"]) as telemetry:
        yield telemetry


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    engine = create_engine(database.url)
    yield engine
    engine.dispose()


def outcomes(telemetry: Telemetry) -> dict[str, Any]:
    """By destination: the error class of each hop that has ended."""
    found = [dict(span.attributes or {}) for span in telemetry.matching(kind=PRODUCER)]
    return {a[names.MESSAGING_DESTINATION]: a.get(names.SPAN_ERROR_CLASS) for a in found}


def stored(engine: Engine) -> dict[str, Any]:
    """What stands in the table, by topic."""
    with engine.connect() as connection:
        rows = connection.execute(select(table.c.topic, table.c.headers).order_by(table.c.id))
        return {row.topic: row.headers for row in rows}


def continues(telemetry: Telemetry, topic: str, headers: dict[str, str]) -> bool:
    """Whether relaying a row with these headers continues the span that wrote it."""
    with otel_kit.outbox.relay(headers, topic):
        pass
    relayed = telemetry.matching(f"process {topic}")[-1]
    written = telemetry.matching(f"send {topic}")[-1]
    assert relayed.parent is not None
    return relayed.parent.span_id == (written.context and written.context.span_id)


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


async def test_asyncio_is_the_same(telemetry: Telemetry, database: Database) -> None:
    """The context of the task reaches the flush; sessions at once do not meet."""
    url = database.url.replace("sqlite", "sqlite+aiosqlite")
    engine = create_async_engine(url)
    one_by_one = asyncio.Semaphore(1 if "sqlite" in url else 5)

    async def place(number: int) -> None:
        with otel_kit.saga(f"o-{number}"):
            async with one_by_one, AsyncSession(engine) as session:
                session.add(Message(topic=f"t{number}"))
                await (session.flush() if number % 2 else session.commit())

    await asyncio.gather(*map(place, range(10)))
    async with engine.connect() as connection:
        rows = (await connection.execute(select(table.c.topic, table.c.headers))).all()
    await engine.dispose()

    assert {topic: headers["baggage"][:11] for topic, headers in rows} == {
        f"t{number}": f"saga.id=o-{number}" for number in range(0, 10, 2)
    }
    assert outcomes(telemetry) == {f"t{n}": "cancelled" if n % 2 else None for n in range(10)}


class Topic(Enum):
    CREATED = "created"


@pytest.mark.parametrize(
    ("default", "topic", "destination"),
    [
        (otel_kit.outbox.stamped("constant"), "a", "constant"),
        (otel_kit.outbox.stamped(column="topic"), "a", "a"),
        (otel_kit.outbox.stamped(column="topic"), Topic.CREATED, "created"),
        (otel_kit.outbox.stamped(column="unset"), "a", "messages"),
        (otel_kit.outbox.stamped(), "a", "messages"),
    ],
)
@pytest.mark.parametrize(("holds", "shape"), [(Text, str), (LargeBinary, bytes), (JSON, dict)])
def test_the_destination_and_the_column(
    default: Any, topic: Any, destination: str, holds: Any, shape: type, telemetry: Telemetry
) -> None:
    """A constant, another column's value, or the table; in a column of text, bytes or JSON."""
    kind = sqlalchemy.Enum(Topic) if isinstance(topic, Topic) else String()
    messages = Table(
        "messages",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("topic", kind),
        Column("unset", String),
        Column("headers", holds, default=default, nullable=False),
    )
    engine = create_engine("sqlite://")
    messages.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(messages).values(topic=topic))
        [headers] = connection.scalars(select(messages.c.headers))
    engine.dispose()

    assert outcomes(telemetry) == {destination: None}
    assert isinstance(headers, shape)
    assert continues(telemetry, destination, headers)


def test_a_value_of_the_applications_own_takes_its_place(
    telemetry: Telemetry, engine: Engine
) -> None:
    """With headers that it wants to have beside the context."""
    own = json.loads(otel_kit.outbox.stamp("created", {"kind": "Created"}))
    with Session(engine) as session, session.begin():
        session.add(Message(topic="created", headers=own))

    assert stored(engine)["created"]["kind"] == "Created"
    assert outcomes(telemetry) == {"created": None}


def test_without_telemetry_the_column_has_an_empty_object(engine: Engine) -> None:
    """A column that must not be null is filled, whether the process is instrumented or not."""
    with Session(engine) as session, session.begin():
        session.add(Message(topic="created"))

    assert stored(engine) == {"created": {}}


def test_a_fault_of_ours_costs_the_telemetry_only(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    """The row is written, with nothing in its column."""
    monkeypatch.setattr("otel_kit.outbox._sqlalchemy._destination", lambda *_: 1 / 0)
    monkeypatch.setattr("otel_kit.outbox._sqlalchemy._listening", lambda *_: 1 / 0)
    with capture("orders", strict=False), Session(engine) as session, session.begin():
        session.add(Message(topic="created"))

    assert list(stored(engine)) == ["created"]


def test_the_applications_events_stay_its_own(telemetry: Telemetry, engine: Engine) -> None:
    """Its listeners of the same connection hear what they always heard."""
    heard: list[str] = []
    with engine.connect() as connection:
        sqlalchemy.event.listen(connection, "commit", lambda c: heard.append("commit"))
        connection.execute(insert(table).values(topic="created"))
        connection.commit()

    assert heard == ["commit"]
    with closing(engine.raw_connection()) as raw:
        assert raw.cursor() is not None
