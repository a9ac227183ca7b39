"""A model as an application has it, and what the tests ask of it."""

from typing import Any

from opentelemetry.trace import SpanKind
from sqlalchemy import (
    JSON,
    Engine,
    Table,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry

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
