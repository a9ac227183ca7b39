"""A metric series, its identity and its latest state; pure."""

import json
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from otel_kit.embedded.metrics import values

GAUGE: Final = "gauge"
COUNTER: Final = "counter"
HISTOGRAM: Final = "histogram"
SUMMARY: Final = "summary"


def label(value: object) -> str:
    """An attribute's value as a label."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class SeriesKey(NamedTuple):
    """What makes a series one: who measures, what, and the attributes, sorted by key."""

    service: str
    instance: str
    scope: str
    name: str
    type: str
    attributes: tuple[tuple[str, str], ...]

    def to_text(self) -> str:
        """As kept on disk."""
        return json.dumps(self)

    @classmethod
    def from_text(cls, text: str) -> "SeriesKey":
        """The reverse of `to_text`."""
        service, instance, scope, name, type_, attributes = json.loads(text)
        kept = tuple((key, value) for key, value in attributes)
        return cls(service, instance, scope, name, type_, kept)


class Exemplar(NamedTuple):
    """A measurement that stands for its bucket, with the span it was made in (hex ids)."""

    value: float
    time_ns: int
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Point:
    """One data point as received.  ``value`` is None where the sender says "no value"."""

    key: SeriesKey
    unit: str
    description: str
    value: values.Value | None
    delta: bool
    time_ns: int
    exemplars: tuple[Exemplar, ...] = ()
    started_ns: int = 0
    """When the sender began to count, 0 if it does not say."""


@dataclass(frozen=True, slots=True)
class Series:
    """The latest state; deltas are summed up to a running total.

    ``updated_ns`` and ``changed_ns``, the last time that the value was another one, are our clock;
    ``since_ns`` is when the sender began to count.
    """

    unit: str
    description: str
    value: values.Value
    time_ns: int
    updated_ns: int
    exemplars: tuple[Exemplar, ...] = ()
    since_ns: int = 0
    changed_ns: int = 0

    @classmethod
    def first(cls, point: Point, value: values.Value, now_ns: int) -> "Series":
        """The state after a series' first point."""
        described = (point.unit, point.description)
        since_ns = min(point.started_ns or now_ns, now_ns)
        return cls(*described, value, point.time_ns, now_ns, point.exemplars, since_ns, now_ns)

    def after(self, point: Point, value: values.Value, now_ns: int) -> "Series":
        """The state after one more point; an older cumulative point changes nothing."""
        if not point.delta and point.time_ns < self.time_ns:
            return self
        if point.delta:
            value = values.added(self.value, value)
        newest = max(self.time_ns, point.time_ns)
        exemplars = point.exemplars or self.exemplars
        changed_ns = self.changed_ns if value == self.value else now_ns
        return replace(
            self,
            value=value,
            time_ns=newest,
            updated_ns=now_ns,
            exemplars=exemplars,
            changed_ns=changed_ns,
        )

    def to_text(self) -> str:
        """As kept on disk."""
        plain = values.to_json(self.value)
        times = (self.since_ns, self.changed_ns)
        return json.dumps(
            [self.unit, self.description, plain, self.time_ns, self.exemplars, *times]
        )

    @classmethod
    def from_text(cls, text: str, updated_ns: int) -> "Series":
        """The reverse of `to_text`."""
        unit, description, plain, time_ns, exemplars, *times = json.loads(text)
        kept = tuple(Exemplar(*exemplar) for exemplar in exemplars)
        times = times or [updated_ns, updated_ns]  # written before these were kept
        return cls(unit, description, values.from_json(plain), time_ns, updated_ns, kept, *times)
