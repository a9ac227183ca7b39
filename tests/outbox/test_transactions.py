"""How the hop of a row ends is told by the block around its transaction."""

from contextlib import closing, suppress
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry
from tests.outbox.databases import Database

INSERT = "INSERT INTO outbox (topic, headers) VALUES ({p}, {p})"


def insert(database: Database, connection: Any, topic: str = "created") -> None:
    connection.execute(database.sql(INSERT), (topic, otel_kit.outbox.stamp(topic)))


def rows(database: Database) -> int:
    with closing(database.connect()) as connection:
        (count,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
        return int(count)


def outcomes(telemetry: Telemetry) -> dict[str, Any]:
    """By destination: the error class of each hop that has ended."""
    spans = [span for span in telemetry.spans if span.kind is SpanKind.PRODUCER]
    found = [dict(span.attributes or {}) for span in spans]
    return {a[names.MESSAGING_DESTINATION]: a.get(names.SPAN_ERROR_CLASS) for a in found}


def test_a_row_is_sent_when_it_is_committed(telemetry: Telemetry, database: Database) -> None:
    """Not when it is written: the hop lasts as long as the transaction."""
    with closing(database.connect()) as connection:
        with otel_kit.outbox.transaction(), connection:
            insert(database, connection)
            assert outcomes(telemetry) == {}

        assert outcomes(telemetry) == {"created": None}
    assert rows(database) == 1


def test_a_row_that_is_rolled_back_was_not_sent(telemetry: Telemetry, database: Database) -> None:
    """The hop is cancelled, which is nobody's failure, and the application's error goes on."""
    connection = closing(database.connect())
    with pytest.raises(KeyError), connection as c, otel_kit.outbox.transaction(), c:  # noqa: PT012
        insert(database, c)
        raise KeyError
    assert rows(database) == 0
    span = telemetry.span(kind=SpanKind.PRODUCER)

    assert outcomes(telemetry) == {"created": "cancelled"}
    assert span.status.status_code is StatusCode.UNSET
    assert telemetry.count(names.HOP_DURATION, error_class="cancelled", transport="outbox") == 1
    assert telemetry.count(names.HOP_DURATION) == 1


def test_a_block_within_is_a_savepoint(telemetry: Telemetry) -> None:
    """What it wrote is gone if it failed, else it is the outer block's to commit."""
    with otel_kit.outbox.transaction():
        otel_kit.outbox.stamp("first")
        with otel_kit.outbox.transaction():
            otel_kit.outbox.stamp("second")
        with suppress(KeyError), otel_kit.outbox.transaction():
            otel_kit.outbox.stamp("third")
            raise KeyError
        assert outcomes(telemetry) == {"third": "cancelled"}

    assert outcomes(telemetry) == {"first": None, "second": None, "third": "cancelled"}


def test_a_savepoint_goes_with_its_transaction(telemetry: Telemetry) -> None:
    """What was written within both is cancelled with the outer."""
    with suppress(KeyError), otel_kit.outbox.transaction():
        with otel_kit.outbox.transaction():
            otel_kit.outbox.stamp("created")
        raise KeyError

    assert outcomes(telemetry) == {"created": "cancelled"}


def test_a_stamp_after_the_block_ends_at_once(telemetry: Telemetry) -> None:
    """As in a task that began within a transaction and outlives it."""
    with otel_kit.outbox.transaction():
        within = context.get_current()
    token = context.attach(within)
    otel_kit.outbox.stamp("created")
    context.detach(token)

    assert outcomes(telemetry) == {"created": None}


def test_nothing_is_left_in_the_context(telemetry: Telemetry) -> None:
    """Neither by a stamp nor by the block."""
    before = context.get_current()
    otel_kit.outbox.stamp("created")
    with otel_kit.outbox.transaction():
        otel_kit.outbox.stamp("created")

    assert context.get_current() == before
