"""The outbox by SQLAlchemy: what may stand in the column, and what stays the application's."""

import asyncio
import json
from contextlib import closing
from enum import Enum
from typing import Any

import pytest
import sqlalchemy
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
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import otel_kit
from otel_kit.testing import Telemetry, capture
from tests.outbox.databases import Database
from tests.outbox.model import Message, continues, outcomes, stored, table


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
    monkeypatch.setattr("otel_kit.outbox._sqlalchemy._listen", lambda *_: 1 / 0)
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
