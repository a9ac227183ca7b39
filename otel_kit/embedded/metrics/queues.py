"""Queues from the gauges of their consumers and the dwell of their messages; pure.

Depth and lag of instances are added up where the queue has a consumer group, because each instance
reports its own share; without a group all see the same queue, and the greatest counts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from otel_kit import names
from otel_kit.embedded.metrics import values
from otel_kit.embedded.metrics.series import Series, SeriesKey
from otel_kit.records import QueueRecord

_Queue = tuple[str, str, str]
_GAUGES: Final = (names.QUEUE_DEPTH, names.QUEUE_LAG, names.QUEUE_LAG_TIME)


@dataclass(slots=True)
class _Measured:
    gauges: dict[str, list[float]] = field(default_factory=dict)
    waits: list[values.Histogram] = field(default_factory=list)


def queues(
    kept: Iterable[tuple[SeriesKey, Series]], live: Iterable[tuple[SeriesKey, Series]]
) -> list[QueueRecord]:
    """One record for each (transport, destination, group), sorted; gauges from `live` alone."""
    found: dict[_Queue, _Measured] = {}
    for key, state in live:
        if key.name in _GAUGES and isinstance(state.value, values.Number):
            gauges = found.setdefault(_queue(key), _Measured()).gauges
            gauges.setdefault(key.name, []).append(state.value.value)
    for key, state in kept:
        histogram = values.as_histogram(state.value)
        if key.name == names.QUEUE_DURATION and histogram is not None:
            found.setdefault(_queue(key), _Measured()).waits.append(histogram)
    return [_record(queue, measured) for queue, measured in sorted(found.items())]


def _queue(key: SeriesKey) -> _Queue:
    said = dict(key.attributes)
    transport, destination, group = (
        said.get(name, "") for name in (names.TRANSPORT, names.DESTINATION, names.GROUP)
    )
    return transport, destination, group


def _record(queue: _Queue, measured: _Measured) -> QueueRecord:
    join: Callable[[list[float]], float] = sum if queue[2] else max

    def gauge(name: str, join: Callable[[list[float]], float]) -> float | None:
        found = measured.gauges.get(name)
        return join(found) if found else None

    return QueueRecord(
        *queue,
        depth=gauge(names.QUEUE_DEPTH, join),
        lag=gauge(names.QUEUE_LAG, join),
        lag_time_s=gauge(names.QUEUE_LAG_TIME, max),
        consumed=sum(histogram.count for histogram in measured.waits),
        wait=values.quantiles(measured.waits),
    )
