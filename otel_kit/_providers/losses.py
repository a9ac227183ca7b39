"""How much telemetry was lost, by signal and reason: kept in the process and exported as a counter.

An item is a span, a log record or a metric data point.  Reasons: ``queue_full`` (the oldest gave
way, mostly because the collector was away for long), ``export_failed`` (refused for good, or not
encodable), ``rejected`` (OTLP partial success), ``shutdown`` (not delivered within the deadline,
or made afterwards), ``fork`` (made in a forked child that
cannot send).  The counter is cumulative, so what was counted while the collector was
away arrives when it is back.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import RLock
from typing import Literal

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_kit import names

Reason = Literal["queue_full", "export_failed", "rejected", "shutdown", "fork"]


class Losses:
    """Counts per (signal, reason).  The lock is re-entrant: a signal handler may count too."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from zero; also makes the lock usable in a forked child."""
        self._lock = RLock()
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, signal: str, reason: Reason, items: int) -> None:
        """`items` of a signal are gone for good."""
        if items:
            with self._lock:
                key = signal, reason
                self._counts[key] = self._counts.get(key, 0) + items

    def counts(self) -> dict[tuple[str, str], int]:
        """What was lost in this process so far."""
        with self._lock:
            return dict(self._counts)

    def total(self, signal: str) -> int:
        """What was lost of one signal, for any reason."""
        return sum(count for (each, _), count in self.counts().items() if each == signal)

    def publish(self, meter: Meter) -> None:
        """Export the counts as a counter."""
        meter.create_observable_counter(
            names.TELEMETRY_LOST,
            callbacks=[self._observe],
            unit="{item}",
            description="Telemetry that was lost: spans, log records, metric data points",
        )

    def _observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        for (signal, reason), count in self.counts().items():
            yield Observation(count, {names.SIGNAL: signal, names.REASON: reason})
