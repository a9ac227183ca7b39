"""Our metrics as Prometheus spells them: type and unit of every name in `otel_kit.names`.

A real Prometheus holds what is written here against what the kit emits
(tests/dashboards/test_prometheus.py).
"""

from dataclasses import dataclass
from typing import Final

from otel_kit import names
from otel_kit.embedded.metrics import naming, series


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its OpenTelemetry name, type (counter, gauge, histogram) and unit (UCUM)."""

    name: str
    type: str
    unit: str

    @property
    def family(self) -> str:
        """Its name in Prometheus, without a suffix."""
        return naming.family_name(self.name, self.unit, self.type)

    @property
    def series(self) -> str:
        """The name to query for a counter or a gauge."""
        return f"{self.family}_total" if self.type == series.COUNTER else self.family

    @property
    def bucket(self) -> str:
        """A histogram's buckets."""
        return f"{self.family}_bucket"

    @property
    def count(self) -> str:
        """A histogram's number of measurements."""
        return f"{self.family}_count"

    @property
    def sum(self) -> str:
        """A histogram's sum of measurements."""
        return f"{self.family}_sum"

    @property
    def all_series(self) -> tuple[str, ...]:
        """Every name that Prometheus has of it."""
        if self.type == series.HISTOGRAM:
            return self.bucket, self.count, self.sum
        return (self.series,)


def _counter(name: str, unit: str) -> Metric:
    return Metric(name, series.COUNTER, unit)


def _gauge(name: str, unit: str) -> Metric:
    return Metric(name, series.GAUGE, unit)


def _histogram(name: str) -> Metric:
    return Metric(name, series.HISTOGRAM, "s")


HOP: Final = _histogram(names.HOP_DURATION)
DWELL: Final = _histogram(names.QUEUE_DURATION)
CLOCK_SKEW: Final = _counter(names.QUEUE_CLOCK_SKEW, "{message}")
PROPAGATION: Final = _counter(names.PROPAGATION_MESSAGES, "{message}")
QUEUE_DEPTH: Final = _gauge(names.QUEUE_DEPTH, "{message}")
QUEUE_LAG: Final = _gauge(names.QUEUE_LAG, "{message}")
QUEUE_LAG_TIME: Final = _gauge(names.QUEUE_LAG_TIME, "s")
BREAKER_STATE: Final = _gauge(names.BREAKER_STATE, "1")
BREAKER_CHANGED: Final = _gauge(names.BREAKER_CHANGED, "s")
BREAKER_TIME: Final = _counter(names.BREAKER_TIME, "s")
BREAKER_TRANSITIONS: Final = _counter(names.BREAKER_TRANSITIONS, "{transition}")
BREAKER_REJECTED: Final = _counter(names.BREAKER_REJECTED, "{call}")
RETRIES: Final = _counter(names.RETRY_ATTEMPTS, "{attempt}")
DEAD_LETTERS: Final = _counter(names.DEAD_LETTERS, "{message}")
DUPLICATES: Final = _counter(names.DUPLICATES, "{message}")
SAGA_STARTED: Final = _counter(names.SAGA_STARTED, "{saga}")
SAGA_FINISHED: Final = _counter(names.SAGA_FINISHED, "{saga}")
SAGA_DURATION: Final = _histogram(names.SAGA_DURATION)
TELEMETRY_LOST: Final = _counter(names.TELEMETRY_LOST, "{item}")

GRAPH_REQUESTS: Final = _counter(names.GRAPH_REQUESTS, "{request}")
GRAPH_FAILED: Final = _counter(names.GRAPH_FAILED, "{request}")
GRAPH_SERVER: Final = _histogram(names.GRAPH_SERVER)
GRAPH_CLIENT: Final = _histogram(names.GRAPH_CLIENT)
GRAPH_MESSAGING: Final = _histogram(names.GRAPH_MESSAGING)

ALL: Final = tuple(each for each in list(vars().values()) if isinstance(each, Metric))
