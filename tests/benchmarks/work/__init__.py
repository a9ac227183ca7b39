"""What is measured: one small file a kind of work."""

import importlib
from collections.abc import Mapping
from typing import Final

from tests.benchmarks.work.base import Work

WORK: Final[Mapping[str, str]] = {
    "asgi": "ASGI server",
    "wsgi": "WSGI server",
    "httpx": "httpx client",
    "requests": "requests client",
    "grpc_aio": "gRPC aio, client and server",
    "grpc_sync": "gRPC sync, client and server",
    "kafka_produce": "Kafka produce",
    "kafka_consume": "Kafka consume",
}
"""Name → title, in the order of the table."""


def load(name: str) -> type[Work]:
    """Imports what only a subject's environment has."""
    found = importlib.import_module(f"tests.benchmarks.work.{name}").work
    assert isinstance(found, type)
    return found
