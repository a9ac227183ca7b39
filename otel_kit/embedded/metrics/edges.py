"""Pairs of services from their own hop metrics; pure.

Both ends of a hop measure it, and neither sees all.  The receiving side (server, consumer) also
knows clients without the kit, and alone knows how long it worked: durations and what it counted as
errors are its own.  The sending side (client, producer) knows what never arrived.  So, where both
report:

- calls are those of the side that counted more, and never less than the errors;
- failures that a receiver cannot see (`connection`, `dns`, `tls`, `breaker_open`) are added;
- a `timeout`, `cancelled` or `unavailable` of the sender may have arrived or not.  It is added as
  far as the sender counted more calls than the receiver, and beyond that as far as the receiver
  has no failure that could be the same call, one that the sender does not report in its own words.

Where one side is silent the other stands alone.  Instances and operations are added up.  The sides
export at different moments, so a row may be off by the calls of one export interval.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from otel_kit import names
from otel_kit.embedded.metrics import values
from otel_kit.embedded.metrics.series import Series, SeriesKey
from otel_kit.errors import ErrorClass
from otel_kit.records import EdgeRecord

_RECEIVING: Final = frozenset({"server", "consumer"})
_NEVER_ARRIVED: Final = (
    ErrorClass.CONNECTION,
    ErrorClass.DNS,
    ErrorClass.TLS,
    ErrorClass.BREAKER_OPEN,
)
_MAYBE_ARRIVED: Final = (ErrorClass.UNAVAILABLE, ErrorClass.TIMEOUT, ErrorClass.CANCELLED)
_Pair = tuple[str, str, str]


@dataclass(slots=True)
class _Side:
    name: str = ""
    histograms: list[values.Histogram] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, histogram: values.Histogram, error_class: str) -> None:
        self.name = name
        self.histograms.append(histogram)
        if error_class:
            self.errors[error_class] += histogram.count

    @property
    def calls(self) -> int:
        return sum(histogram.count for histogram in self.histograms)


@dataclass(slots=True)
class _Edge:
    receiving: _Side = field(default_factory=_Side)
    sending: _Side = field(default_factory=_Side)
    queue: list[values.Histogram] = field(default_factory=list)

    def add(self, side: str, histogram: values.Histogram, error_class: str) -> None:
        measured = self.receiving if side in _RECEIVING else self.sending
        measured.add(side, histogram, error_class)


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
            error_class = attributes.get(names.ERROR_CLASS, "")
            edge.add(attributes.get(names.SIDE, ""), histogram, error_class)
    return [_record(pair, edge) for pair, edge in sorted(found.items())]


def _record(pair: _Pair, edge: _Edge) -> EdgeRecord:
    measured = edge.receiving if edge.receiving.histograms else edge.sending
    errors = measured.errors
    if measured is edge.receiving:
        errors = errors + _only_sender_saw(edge.sending, edge.receiving)
    calls = max(edge.receiving.calls, edge.sending.calls, errors.total())
    duration, queue = values.quantiles(measured.histograms), values.quantiles(edge.queue)
    return EdgeRecord(*pair, measured.name, calls, dict(errors), duration, queue)


def _only_sender_saw(sending: _Side, receiving: _Side) -> Counter[str]:
    """Failures to add to the receiver's; the module says by which rule."""
    certain = _only(sending.errors, _NEVER_ARRIVED)
    maybe = _only(sending.errors, _MAYBE_ARRIVED)
    surplus = max(0, sending.calls - certain.total() - receiving.calls)
    room = max(min(maybe.total(), surplus), maybe.total() - _unmatched(receiving, sending))
    for name in _MAYBE_ARRIVED:
        certain[name] = min(maybe[name], room)
        room -= certain[name]
    return certain


def _unmatched(receiving: _Side, sending: _Side) -> int:
    """The receiver's failures that the sender may have seen as timeout, cancelled, unavailable."""
    told = sending.errors - _only(sending.errors, _MAYBE_ARRIVED)
    return (receiving.errors - told).total()


def _only(errors: Counter[str], classes: Iterable[str]) -> Counter[str]:
    return Counter({str(name): errors[name] for name in classes})
