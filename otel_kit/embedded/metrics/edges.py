"""Pairs of services from their own hop metrics; pure.

Both ends of a hop measure it.  The receiving side (server, consumer) is preferred: it sees every
call, also those of clients that do not use the kit.  Where it does not report, the sending side
(client, producer) stands in.  Instances and operations are added up.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from otel_kit import names
from otel_kit.embedded.metrics import values
from otel_kit.embedded.metrics.series import Series, SeriesKey
from otel_kit.records import EdgeRecord

_RECEIVING: Final = frozenset({"server", "consumer"})
_Pair = tuple[str, str, str]


@dataclass(slots=True)
class _Side:
    histograms: list[values.Histogram] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, histogram: values.Histogram, error_class: str) -> None:
        self.histograms.append(histogram)
        if error_class:
            self.errors[error_class] = self.errors.get(error_class, 0) + histogram.count


@dataclass(slots=True)
class _Edge:
    sides: dict[str, _Side] = field(default_factory=dict)
    queue: list[values.Histogram] = field(default_factory=list)

    def measured(self) -> tuple[str, _Side]:
        for side, measured in self.sides.items():
            if side in _RECEIVING:
                return side, measured
        return next(iter(self.sides.items()), ("", _Side()))


def edges(items: Iterable[tuple[SeriesKey, Series]]) -> list[EdgeRecord]:
    """One record for each (client, server, transport), sorted."""
    found: dict[_Pair, _Edge] = {}
    for key, state in items:
        histogram = values.as_histogram(state.value)
        if histogram is None or key.name not in (names.HOP_DURATION, names.QUEUE_DURATION):
            continue
        attributes = dict(key.attributes)
        pair = tuple(attributes.get(n, "") for n in (names.CLIENT, names.SERVER, names.TRANSPORT))
        edge = found.setdefault((pair[0], pair[1], pair[2]), _Edge())
        if key.name == names.QUEUE_DURATION:
            edge.queue.append(histogram)
        else:
            side = edge.sides.setdefault(attributes.get(names.SIDE, ""), _Side())
            side.add(histogram, attributes.get(names.ERROR_CLASS, ""))
    return [_record(pair, edge) for pair, edge in sorted(found.items())]


def _record(pair: _Pair, edge: _Edge) -> EdgeRecord:
    side, measured = edge.measured()
    calls = sum(histogram.count for histogram in measured.histograms)
    duration, queue = values.quantiles(measured.histograms), values.quantiles(edge.queue)
    return EdgeRecord(*pair, side, calls, measured.errors, duration, queue)
