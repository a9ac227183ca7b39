"""Circuit breakers from their own metrics; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from otel_kit import names
from otel_kit.embedded.metrics import values
from otel_kit.embedded.metrics.series import Series, SeriesKey
from otel_kit.records import BreakerRecord

_STATES: Final = ("closed", "half_open", "open")
"""From best to worst."""
_COUNTERS: Final = (names.BREAKER_TIME, names.BREAKER_TRANSITIONS, names.BREAKER_REJECTED)
_PREFIX: Final = names.BREAKER_STATE.rpartition(".")[0]
_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Breaker:
    states: dict[str, str] = field(default_factory=dict)
    """By instance of the service."""
    changed: dict[str, float] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)

    def take(self, key: SeriesKey, state: str, value: float) -> None:
        if key.name == names.BREAKER_STATE and value:
            self.states[key.instance] = state
        elif key.name == names.BREAKER_CHANGED:
            self.changed[key.instance] = value
        elif key.name in _COUNTERS and (key.name != names.BREAKER_TIME or state == "open"):
            self.totals[key.name] = self.totals.get(key.name, 0.0) + value


def breakers(items: Iterable[tuple[SeriesKey, Series]]) -> list[BreakerRecord]:
    """One record for each (name, server, service) whose state is reported, sorted."""
    found: dict[_Key, _Breaker] = {}
    for key, series in items:
        if not isinstance(series.value, values.Number) or not key.name.startswith(_PREFIX):
            continue
        labels = dict(key.attributes)
        identity = (labels.get(names.NAME, ""), labels.get(names.SERVER, ""), key.service)
        breaker = found.setdefault(identity, _Breaker())
        breaker.take(key, labels.get(names.STATE, ""), series.value.value)
    return [_record(key, breaker) for key, breaker in sorted(found.items(), key=_by_key)]


def _by_key(item: tuple[_Key, _Breaker]) -> _Key:
    return item[0]


def _record(key: _Key, breaker: _Breaker) -> BreakerRecord:
    known = [state for state in breaker.states.values() if state in _STATES]
    worst = max(known, key=_STATES.index, default="unknown")
    bad = [instance for instance, state in breaker.states.items() if state == worst]
    since = [breaker.changed[instance] for instance in bad if instance in breaker.changed]
    totals = [breaker.totals.get(name, 0.0) for name in _COUNTERS]
    return BreakerRecord(*key, worst, min(since, default=None), totals[0], *map(int, totals[1:]))
