"""The outbox by plain DB-API: what is stored, and what becomes of it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.messaging import as_headers
from tests.contract.harness.aiokafka import AiokafkaIterated, AiokafkaProducer
from tests.outbox.databases import Database
from tests.spans import attributes, id_of, parent_of

INSERT = "INSERT INTO outbox (topic, body, headers) VALUES ({p}, {p}, {p})"
CONSUMER, PRODUCER = SpanKind.CONSUMER, SpanKind.PRODUCER
Row = tuple[int, str, Any]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders", integrations=["aiokafka"]) as telemetry:
        yield telemetry


def write(database: Database, topic: str = "created", headers: dict[str, str] | None = None) -> Row:
    """Commit one row, and read what is stored."""
    with closing(database.connect()) as connection:
        stamp = otel_kit.outbox.stamp(topic, headers)
        connection.execute(database.sql(INSERT), (topic, "body", stamp))
        connection.commit()
        return read(database)[-1]


def read(database: Database) -> list[Row]:
    with closing(database.connect()) as connection:
        rows = connection.execute("SELECT id, topic, headers FROM outbox ORDER BY id")
        return list(rows.fetchall())


def headers_of(stored: Any) -> dict[str, str]:
    return json.loads(stored) if isinstance(stored, str) else stored


async def test_one_trace_from_the_writer_over_the_relay_to_the_consumer(database: Database) -> None:
    """Each is a service of its own; the saga goes along, and each wait has its own edge."""
    with (
        capture("orders", integrations=["aiokafka"]) as orders,
        otel_kit.saga("o-1", "order"),
        otel_kit.step("place"),
    ):
        _, topic, stored = write(database)
    async with AiokafkaProducer() as producer, AiokafkaIterated(topic=producer.topic) as consumer:
        relaying = capture("relay", integrations=["aiokafka"])
        with relaying as relay, otel_kit.outbox.relay(stored, topic):
            assert otel_kit.current_saga() == otel_kit.Saga("o-1", "order")
            await producer.send()
        with capture("billing", integrations=["aiokafka"]) as billing:
            async for record in consumer.consumer:
                with otel_kit.process(record):
                    assert otel_kit.current_saga() == otel_kit.Saga("o-1", "order")
                break
            await consumer.close()

    step, written = orders.span("place"), orders.span(kind=PRODUCER)
    relayed, sent = relay.span(kind=CONSUMER), relay.span(kind=PRODUCER)
    handled = billing.span(kind=CONSUMER)
    parents = [id_of(span) for span in (step, written, relayed, sent)]
    assert [parent_of(span) for span in (written, relayed, sent, handled)] == parents
    assert {attributes(span)["saga.id"] for span in (written, relayed, sent, handled)} == {"o-1"}
    edges = {"transport": "outbox", "client": "orders"}
    assert orders.count(names.HOP_DURATION, server="outbox", side="producer", **edges) == 1
    assert relay.count(names.HOP_DURATION, server="relay", side="consumer", **edges) == 1
    assert relay.count(names.QUEUE_DURATION, server="relay", destination="created", **edges) == 1
    assert billing.count(names.QUEUE_DURATION, transport="kafka", client="relay") == 1


def test_the_time_in_the_outbox_is_measured(telemetry: Telemetry, database: Database) -> None:
    """From the stamp to the begin of the relay's sending."""
    _, topic, stored = write(database)
    before = datetime.now(UTC).timestamp()
    with otel_kit.outbox.relay(stored, topic):
        after = datetime.now(UTC).timestamp()
    sent = int(headers_of(stored)["tracestate"].partition(";t:")[2], 16) / 1e9
    dwell = attributes(telemetry.span(kind=CONSUMER))[names.SPAN_QUEUE_DURATION]

    assert before - sent <= dwell <= after - sent


async def test_a_relay_without_the_kit_may_copy_the_headers(
    telemetry: Telemetry, database: Database
) -> None:
    """Its consumer continues the writer's trace, and waited in outbox and broker together."""
    _, _, stored = write(database)
    async with AiokafkaIterated() as consumer:
        await consumer.deliver(as_headers(headers_of(stored)))
        await consumer.next()
        await consumer.close()
    handled, written = telemetry.span(kind=CONSUMER), telemetry.span(kind=PRODUCER)

    assert parent_of(handled) == id_of(written)
    assert telemetry.count(names.QUEUE_DURATION, transport="kafka", client="orders") == 1


async def test_a_relay_with_the_kit_may_copy_them_too(
    telemetry: Telemetry, database: Database
) -> None:
    """The message says who sends it now, and its span links to the writing."""
    _, topic, stored = write(database, headers={"kind": "Created"})
    async with AiokafkaProducer() as producer:
        with otel_kit.outbox.relay(stored, topic):
            await producer.send(headers=as_headers(headers_of(stored)))
        [received] = await producer.received()
    written, sent = telemetry.matching(kind=PRODUCER)
    own = f"-{id_of(sent):016x}-".encode()

    assert [value for name, value in received if name == "kind"] == [b"Created"]
    assert [own in (value or b"") for name, value in received if name == "traceparent"] == [True]
    assert [link.context.span_id for link in sent.links] == [id_of(written)]


def test_a_relay_that_fails_tries_again_as_a_new_hop(
    telemetry: Telemetry, database: Database
) -> None:
    """Redelivery: both hops are children of the writing, each with its own wait and outcome."""
    _, topic, stored = write(database)
    with pytest.raises(ConnectionError), otel_kit.outbox.relay(stored, topic, id=7):
        raise ConnectionError
    with otel_kit.outbox.relay(stored, topic, id=7):
        pass
    failed, relayed = telemetry.matching(kind=CONSUMER)

    assert parent_of(failed) == parent_of(relayed) == id_of(telemetry.span(kind=PRODUCER))
    assert attributes(failed)[names.SPAN_ERROR_CLASS] == "connection"
    assert names.SPAN_ERROR_CLASS not in attributes(relayed)
    assert telemetry.count(names.QUEUE_DURATION, transport="outbox") == 2


def test_relays_within_each_other_are_hops_of_their_own(
    telemetry: Telemetry, database: Database
) -> None:
    """Also of one topic: a row is no second look at another one."""
    _, topic, stored = write(database)
    with otel_kit.outbox.relay(stored, topic), otel_kit.outbox.relay(stored, topic):
        pass

    assert len(telemetry.matching(kind=CONSUMER)) == 2


async def test_fifty_relays_at_once(telemetry: Telemetry, database: Database) -> None:
    """Each row's sending is in its own trace."""
    rows = []
    for number in range(50):
        with otel_kit.saga(f"o-{number}"):
            rows.append(write(database))
    seen: dict[int, otel_kit.Saga | None] = {}
    barrier = asyncio.Barrier(50)

    async def relay(id: int, topic: str, stored: Any) -> None:  # noqa: A002
        with otel_kit.outbox.relay(stored, topic):
            await barrier.wait()
            seen[id] = otel_kit.current_saga()

    await asyncio.gather(*(relay(*row) for row in rows))

    assert [saga and saga.id for _, saga in sorted(seen.items())] == [f"o-{n}" for n in range(50)]
    traces = {span.context.trace_id for span in telemetry.matching(kind=CONSUMER) if span.context}
    assert len(traces) == 50


def test_several_rows_in_one_request_are_a_batch(telemetry: Telemetry, database: Database) -> None:
    """One span with a link to each writing; each row's wait counts."""
    rows = [write(database) for _ in range(3)]
    with otel_kit.process([otel_kit.outbox.row(stored, topic) for _, topic, stored in rows]):
        pass
    links = [link.context.span_id for link in telemetry.span(kind=CONSUMER).links]

    assert links == [id_of(span) for span in telemetry.matching(kind=PRODUCER)]
    assert telemetry.count(names.QUEUE_DURATION, transport="outbox") == 3


@pytest.mark.parametrize(
    "written_at", [1_790_000_000.0, datetime.fromtimestamp(1_790_000_000, UTC)]
)
def test_a_row_from_before_the_kit_has_a_wait(
    telemetry: Telemetry, written_at: float | datetime
) -> None:
    """By the time that another column has; its writer is unknown."""
    with otel_kit.outbox.relay(None, "created", written_at=written_at):
        pass
    [point] = telemetry.points(names.QUEUE_DURATION)
    relayed = telemetry.span(kind=CONSUMER)

    assert relayed.start_time is not None
    assert point.sum == pytest.approx(relayed.start_time / 1e9 - 1_790_000_000, abs=1)
    assert point.labels["client"] == "unknown"
    assert relayed.parent is None


def test_a_time_without_a_zone_is_utc() -> None:
    """As SQLite's CURRENT_TIMESTAMP is, whatever zone the machine is in."""
    hop = otel_kit.outbox.row(None, "created", written_at=datetime(2026, 1, 1))

    assert hop.sent_at == datetime(2026, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\x00",
        b"\xff",
        "[" * 60_000,
        "x" * 100_000,
        7,
        {"traceparent": 7},
    ],
)
def test_anything_may_stand_in_the_column(telemetry: Telemetry, stored: Any) -> None:
    """The row is relayed all the same, and counts as one whose context is missing."""
    relayed = []
    with otel_kit.outbox.relay(stored, "created"):
        relayed.append(stored)

    assert relayed == [stored]
    assert attributes(telemetry.span(kind=CONSUMER))[names.SPAN_PROPAGATION] == "missing"


@pytest.mark.parametrize("shape", [str, str.encode, bytearray, memoryview, dict, json.dumps])
def test_a_column_of_any_shape_is_read(telemetry: Telemetry, shape: Any) -> None:
    """Text, bytes, what a driver has decoded, and text in a column of JSON."""
    stamp: Any = otel_kit.outbox.stamp("created")
    stamp = stamp.encode() if shape in (bytearray, memoryview) else stamp
    stored = json.loads(stamp) if shape is dict else shape(stamp)
    with otel_kit.outbox.relay(stored, "created"):
        pass

    assert attributes(telemetry.span(kind=CONSUMER))[names.SPAN_PROPAGATION] == "continued"


def test_headers_of_the_applications_own_are_kept(telemetry: Telemetry, database: Database) -> None:
    """Beside the context, and the mapping that was given stays as it is."""
    own = {"kind": "Created"}
    _, _, stored = write(database, headers=own)

    assert headers_of(stored)["kind"] == "Created"
    assert headers_of(stored).keys() == {"kind", "traceparent", "tracestate"}
    assert own == {"kind": "Created"}


def test_without_telemetry_the_application_stores_what_is_its_own(database: Database) -> None:
    """A column that must not be null has an empty object; a relay relays."""
    assert headers_of(write(database)[2]) == {}
    assert headers_of(write(database, headers={"kind": "Created"})[2]) == {"kind": "Created"}
    relayed = []
    with otel_kit.outbox.relay("{}", "created"), otel_kit.outbox.transaction():
        relayed.append(1)
    assert relayed == [1]
