"""Every option and limit of the embedded collector, with its unit and its reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024

MIN_SIZE: Final = 8 * MIB
"""The least ``max_size`` that leaves room for indexes and the write-ahead log."""
LOG_SHARE: Final = 0.15
"""Part of ``max_size`` that log records may take."""
METRIC_SHARE: Final = 0.05
"""Part of ``max_size`` that metric series may take."""
DATABASE_SHARE: Final = 0.85
"""Part of ``max_size`` for the database file; the rest is for the write-ahead log."""

MAX_SERIES: Final = 20_000
"""Metric series kept; more are refused and counted."""
SERIES_STALE_S: Final = 300.0
"""A series not updated for this many seconds is left out of ``/metrics``, as Prometheus does."""

MAX_SERVICES: Final = 1_000
MAX_OPERATIONS: Final = 10_000
"""Names indexed for search; traces with more are stored and found by id or by saga."""
MAX_NAME: Final = 256
"""Characters of a service, operation, saga or step name in an index."""

MAX_ELEMENTS: Final = 500_000
"""Spans, attributes, points and the like in one request, so that little cannot become much: an
empty one takes two bytes in the body and up to 200 in memory."""
DECODED_AT_ONCE: Final = 2
"""Requests inflated and decoded at the same time; more would not be faster, only larger."""
BLOCK_BYTES: Final = 512 * 1024
"""A request of spans up to this size is compressed as it came; a larger one is split."""
BLOCK_SPANS: Final = 512
"""Spans of each part of such a one: fewer compress badly, more make reading one trace slow."""
BLOCK_RECORDS: Final = 128
"""Log records compressed together, as they are larger."""
PENDING_BYTES: Final = 256 * MIB
"""Received and not yet committed; beyond it the sender is told to come back later."""
PENDING_BATCHES: Final = 512
GROUP_BATCHES: Final = 64
"""Batches that share one commit, and so one fsync."""

MAX_LIMIT: Final = 1_000
"""Rows of one page of an answer, whatever was asked for."""
MAX_SCAN: Final = 2_000
"""Traces read to answer a search by anything but service, operation, time or saga."""
MAX_ANSWER_SPANS: Final = 20_000
"""Spans of one answer."""
MAX_VALUE: Final = 16_384
"""Characters of one attribute value in an answer; it is stored as received."""


@dataclass(frozen=True, slots=True)
class Config:
    """Options of one embedded collector.

    ``max_size`` and ``max_body`` are bytes, ``stuck_after`` seconds.  A port of 0 takes any free
    one.  ``data`` is None for a store that is thrown away at the end.  ``allowed_hosts`` are names,
    besides ``localhost`` and ``host``, by which HTTP clients may call this machine.
    """

    data: Path | None = None
    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    otlp_grpc_port: int = 4317
    otlp_http_port: int = 4318
    query_port: int = 16686
    max_size: int = 2 * 1024 * MIB
    max_body: int = 64 * MIB
    stuck_after: float = 60.0
