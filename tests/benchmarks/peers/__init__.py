"""Whose cost is measured: one small file a subject, each set up as its documentation recommends."""

import importlib
from typing import Final

from tests.benchmarks.peers.base import Peer

SUBJECTS: Final = ("bare", "contrib", "fastapi", "logfire", "ddtrace", "sentry", "otel_kit")
"""In the order of the table."""


def load(name: str) -> Peer:
    """The subject of that name.  Imports nothing that only its own environment has."""
    module = importlib.import_module(f"tests.benchmarks.peers.{name}")
    peer = module.peer
    assert isinstance(peer, Peer)
    return peer
