"""What is said in the log about telemetry that cannot be delivered: little, and never in a loop.

The exporters log three or four lines for every batch.  Those that come from our threads are
silenced, and each signal says one line when trouble begins, one every half minute while it
lasts, and one when it is over.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

logger = logging.getLogger("otel_kit")

INTERVAL: Final = 30.0
"""Seconds between two lines about one signal."""

THREAD_PREFIX: Final = "otel_kit-"

_NOISY: Final = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    *(
        f"opentelemetry.exporter.otlp.proto.http.{each}"
        for each in ("_log_exporter", "metric_exporter", "trace_exporter")
    ),
)


class Reporter:
    """Says when a signal cannot be delivered, and when it can again."""

    def __init__(self, signal: str) -> None:
        self._signal = signal
        self._last: float | None = None
        self._failing = False

    def failure(self, problem: str, target: str, held: int, lost: int) -> None:
        """A batch was not delivered, or not wholly."""
        self._failing = True
        if self._last is not None and monotonic() - self._last < INTERVAL:
            return
        self._last = monotonic()
        logger.warning(
            "%s cannot be delivered%s: %s. Held back for another attempt: %d; lost so far: %d.",
            self._signal,
            f" to {target}" if target else "",
            problem,
            held,
            lost,
        )

    def success(self, target: str) -> None:
        """A batch was delivered."""
        if self._failing:
            self._failing = False
            logger.info("%s are delivered to %s again.", self._signal, target)


def warn_of_fork(signal: str) -> None:
    """A forked child cannot send this signal."""
    logger.warning(
        "This forked process sends no %s: OTLP over gRPC would crash it.  Set "
        "GRPC_ENABLE_FORK_SUPPORT=1 for the whole program, or "
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.",
        signal,
    )


def _not_ours(record: logging.LogRecord) -> bool:
    return not (record.threadName or "").startswith(THREAD_PREFIX)


def silence_exporters() -> None:
    """Keep the exporters' own lines out of the log, as far as our threads cause them."""
    for name in _NOISY:
        logging.getLogger(name).addFilter(_not_ours)


def unsilence_exporters() -> None:
    """Undo `silence_exporters`."""
    for name in _NOISY:
        logging.getLogger(name).removeFilter(_not_ours)
