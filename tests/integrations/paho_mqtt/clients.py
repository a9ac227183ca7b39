"""Clients of Mosquitto, and who is called by them."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from otel_kit.testing import Telemetry
from tests.contract.harness.paho_mqtt import new_client, started
from tests.gauges.waiting import until
from tests.servers.mosquitto import Mosquitto

CONSUMER = SpanKind.CONSUMER
PATIENCE = 20.0


@contextmanager
def connected(server: Mosquitto, *args: Any, **options: Any) -> Iterator[Any]:
    """A client with a thread of its own."""
    client = new_client(*args, **options)
    started(client, server.port)
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()
        client._reset_sockets()


class Inbox:
    """Remembers what it is called with, and in which span."""

    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[Any, int]] = queue.SimpleQueue()

    def __call__(self, client: Any, userdata: Any, message: Any) -> None:
        self.seen.put((message, span_id()))

    def next(self) -> tuple[Any, int]:
        return self.seen.get(timeout=PATIENCE)


def span_id() -> int:
    return trace.get_current_span().get_span_context().span_id


def subscribe(client: Any, topic: str, qos: int = 2) -> None:
    """Returns when the broker knows."""
    known = threading.Event()
    client.on_subscribe = lambda *_: known.set()
    client.subscribe(topic, qos)
    assert known.wait(PATIENCE)


def drive(client: Any, until: Callable[[], bool]) -> None:
    """Do the work of a client that has no thread."""
    while not until():
        client.loop(0.1)


def consumed(telemetry: Telemetry, count: int = 1) -> Any:
    """The spans of the messages that were handled, when their callbacks have returned."""
    until(lambda: len(telemetry.matching(kind=CONSUMER)) == count)
    return telemetry.matching(kind=CONSUMER)
