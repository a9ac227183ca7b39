"""Where context is continued and where it is lost, from the services' own counts; pure."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from otel_kit import names
from otel_kit.embedded.metrics import values
from otel_kit.embedded.metrics.causes import likely_cause
from otel_kit.embedded.metrics.elimination import Hops
from otel_kit.embedded.metrics.series import Series, SeriesKey
from otel_kit.records import PropagationRecord

CONTINUED: Final = "continued"
_PLACE: Final = (names.SERVER, names.TRANSPORT, names.DESTINATION)
_EXAMINED: Final = 200
"""For so many hops, those that lost most, a likely client is looked for; it bounds the work."""


class _Place(NamedTuple):
    """Where hops arrive."""

    server: str
    transport: str
    destination: str


@dataclass(slots=True)
class _Counts:
    results: Counter[str] = field(default_factory=Counter)
    since_ns: int | None = None
    last_ns: int | None = None
    inferred: bool = False
    suspects: list[str] = field(default_factory=list)

    def add(self, result: str, count: int, since_ns: int, last_ns: int) -> None:
        self.results[result] += count
        if result != CONTINUED:
            self.since_ns = min(since_ns, self.since_ns or since_ns)
            self.last_ns = max(last_ns, self.last_ns or last_ns)

    def take_lost(self, other: "_Counts") -> None:
        """Move what `other` lost to this client."""
        assert other.since_ns is not None
        assert other.last_ns is not None
        for result in set(other.results) - {CONTINUED}:
            self.add(result, other.results.pop(result), other.since_ns, other.last_ns)
        other.since_ns = other.last_ns = None
        self.inferred = True

    @property
    def lost(self) -> int:
        return self.results.total() - self.results[CONTINUED]


_Clients = dict[str, _Counts]


def propagation(items: Iterable[tuple[SeriesKey, Series]]) -> list[PropagationRecord]:
    """One record for each (client, server, transport, destination), sorted."""
    items = list(items)
    places = _counted(items)
    hops = Hops.of(items)
    for place, clients in sorted(places.items(), key=_unknown_lost, reverse=True)[:_EXAMINED]:
        _name_the_unknown(place, clients, hops)
    records = [
        _record(client, place, counts)
        for place, clients in places.items()
        for client, counts in clients.items()
        if counts.results.total()
    ]
    return sorted(records, key=lambda r: (r.client, r.server, r.transport, r.destination))


def _counted(items: Iterable[tuple[SeriesKey, Series]]) -> dict[_Place, _Clients]:
    places: dict[_Place, _Clients] = {}
    for key, state in items:
        count = _count(state.value)
        if key.name != names.PROPAGATION_MESSAGES or not count:
            continue
        labels = dict(key.attributes)
        place = _Place(*(labels.get(name, "") for name in _PLACE))
        client = labels.get(names.CLIENT, names.UNKNOWN)
        counts = places.setdefault(place, {}).setdefault(client, _Counts())
        counts.add(labels.get(names.RESULT, ""), count, state.since_ns, state.changed_ns)
    return places


def _count(value: values.Value) -> int:
    """A counter's value; 0 for what no counter of ours can have."""
    if isinstance(value, values.Number) and 0 < value.value < math.inf:
        return int(value.value)
    return 0


def _unknown_lost(item: tuple[_Place, _Clients]) -> int:
    counts = item[1].get(names.UNKNOWN)
    return counts.lost if counts else 0


def _name_the_unknown(place: _Place, clients: _Clients, hops: Hops) -> None:
    """Give what was lost to the one client that can have sent it."""
    unknown = clients.get(names.UNKNOWN)
    if unknown is None or not unknown.lost:
        return
    known = Counter({client: counts.results[CONTINUED] for client, counts in clients.items()})
    unknown.suspects = hops.suspects(*place, unknown.lost, known)
    if len(unknown.suspects) == 1:
        clients.setdefault(unknown.suspects[0], _Counts()).take_lost(unknown)


def _record(client: str, place: _Place, counts: _Counts) -> PropagationRecord:
    lost = [item for item in counts.results.most_common() if item[0] != CONTINUED and item[1]]
    cause = ""
    if lost:
        cause = likely_cause(lost[0][0], client, counts.suspects, place.server, place.destination)
    return PropagationRecord(
        client,
        *place,
        results=dict(counts.results),
        inferred=counts.inferred,
        since_ns=counts.since_ns,
        last_ns=counts.last_ns,
        likely_cause=cause,
    )
