"""The examples of `docs/patterns.md` run as they stand, one after the other."""

import re
import runpy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import kafka
import pytest
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.harness.broker import API_VERSION, Kafka
from tests.webhooks.subscriber import subscriber

CONSUMER, PRODUCER = SpanKind.CONSUMER, SpanKind.PRODUCER
PAGE = (Path(__file__).parent.parent / "docs/patterns.md").read_text()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders", integrations=["requests", "kafka-python"]) as telemetry:
        yield telemetry


def run(section: str, folder: Path) -> dict[str, Any]:
    """What the examples of a section define."""
    text = re.split(rf"^## {section}$", PAGE, flags=re.M)[1].split("\n## ")[0]
    program = folder / "example.py"
    program.write_text("\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)))
    return runpy.run_path(str(program))


def test_outbox(telemetry: Telemetry, tmp_path: Path) -> None:
    """The row is relayed once, in the trace and the saga of its writing."""
    defined, sent = run("Transactional outbox", tmp_path), []
    for _ in range(2):
        defined["relay"](lambda topic, body: sent.append(body))
    relayed, written = (
        telemetry.span(kind=SpanKind.CONSUMER),
        telemetry.span(kind=SpanKind.PRODUCER),
    )

    assert sent == ["a kettle"]
    assert (relayed.parent and relayed.parent.span_id) == written.context.span_id
    assert (relayed.attributes or {})[names.SAGA_ID] == "ORD-1"


def test_replay(telemetry: Telemetry, tmp_path: Path) -> None:
    """The handlers run, and nothing is recorded until one runs outside."""
    defined = run("Event-sourcing replay", tmp_path)
    assert (defined["balance"], telemetry.spans) == (0, [])

    defined["handle"]({"topic": "orders.paid", "amount": 7})
    assert [span.name for span in telemetry.spans] == ["book", "process orders.paid"]


def test_polling(telemetry: Telemetry, tmp_path: Path) -> None:
    """A poll that finds a job is a hop with its wait, and an empty one is nothing."""
    defined, handled = run("Polling and batches", tmp_path), []
    job = defined["jobs"][0]
    defined["poll"](handled.append)
    defined["poll"](handled.append)
    defined["poll_many"](handled.extend)
    assert (handled, len(telemetry.spans)) == ([job], 1)

    defined["jobs"].extend([job, job])
    defined["poll_many"](handled.extend)
    assert (handled, len(telemetry.spans)) == ([job] * 3, 2)
    assert telemetry.count(names.QUEUE_DURATION, transport="jobs") == 3


def test_request_reply(telemetry: Telemetry, tmp_path: Path) -> None:
    """The request and its answer are one round trip, of which each side makes one span."""
    defined, broker = run("Request and reply over a broker", tmp_path), Kafka.shared()
    topics = broker.topic(), broker.topic()
    wire = {"bootstrap_servers": broker.bootstrap, "api_version": API_VERSION}
    options = {**wire, "auto_offset_reset": "earliest", "consumer_timeout_ms": 25_000}
    with (
        closing(kafka.KafkaProducer(**wire)) as producer,
        closing(kafka.KafkaConsumer(**options)) as asked,
        closing(kafka.KafkaConsumer(**options)) as answers,
        ThreadPoolExecutor(1) as pool,
    ):
        for consumer, topic in zip((asked, answers), topics, strict=True):
            consumer.assign([kafka.TopicPartition(topic, 0)])
        served = pool.submit(defined["serve"], asked, producer, {b"seven": b"SEVEN"}.__getitem__)
        assert defined["ask"](producer, answers, *topics, b"seven") == b"SEVEN"
        producer.send(topics[0], b"what nobody has a price for")
        assert isinstance(served.exception(30), KeyError)

    kinds = [SpanKind.CLIENT, SpanKind.SERVER, PRODUCER, CONSUMER]
    assert [len(telemetry.matching(kind=kind)) for kind in kinds] == [1, 1, 1, 1]
    for side in ("client", "server"):
        assert telemetry.count(names.HOP_DURATION, side=side, client="orders", server="orders") == 1


def test_webhooks(telemetry: Telemetry, tmp_path: Path) -> None:
    """An event that is refused once is one hop, and comes to its handler once."""
    defined, handled = run("Webhooks", tmp_path), []
    event = {"type": "order.paid", "id": "evt-1", "at": 1_790_000_000.0}
    with subscriber() as peer:
        peer.answers.append(503)
        defined["deliver"](event, peer.url)
    for asked in peer.asked:
        defined["receive"](asked.headers, asked.body, handled.append)

    assert (handled, len(peer.asked)) == ([event], 2)
    assert telemetry.count(names.HOP_DURATION, transport="webhook", side="client") == 1
    assert telemetry.count(names.HOP_DURATION, transport="webhook", client="shop") == 2
    assert telemetry.count(names.DUPLICATES, destination="order.paid") == 1
