"""What both Kafka clients agree on: which errors may pass, and how a dead letter is marked."""

import sqlite3
from typing import Any, Final

from demo import config


class Transient(Exception):
    """Handling failed in a way that may pass: try again."""


TRANSIENT: Final = (Transient, sqlite3.OperationalError)
"""Tried five times with back-off; after any other error the message is a dead letter at once."""


def error_header(error: Exception) -> tuple[str, bytes]:
    return ("error", f"{type(error).__name__}: {error}"[:500].encode())


def fetch_options() -> dict[str, Any]:
    # librdkafka's in-memory cluster does not wake a waiting fetch when a message arrives.
    return {"fetch_max_wait_ms": 20} if config.broker_is_in_memory() else {}
