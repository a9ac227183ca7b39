"""Edge metrics in OpenTelemetry's instruments: for a meter provider of the application's own."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter

from otel_kit.hops.edges import Conventional, Edge, Wait
from otel_kit.hops.metric import Metric
from otel_kit.hops.series import Projection, Series

_LIMIT: Final = 5_000
"""Sets of labels that are remembered."""


class _Bound(NamedTuple):
    """A series, ready to be recorded."""

    metric: Metric
    instrument: Any
    labels: dict[str, Any]


class Instruments:
    """One measurement for each series of a hop; whatever the provider can do works for them."""

    def __init__(self, meter: Meter, projection: Projection) -> None:
        self._meter, self._projection = meter, projection
        self._made: dict[str, Counter | Histogram] = {}
        self._known: dict[tuple[Any, ...], list[_Bound]] = {}

    def hop(
        self, seconds: float, edge: Edge | None, said: Conventional | None, messages: int,
        context: Context,
    ) -> None:  # fmt: skip
        """See `Edges`."""
        bound = self._known.get((edge, said))
        if bound is None:
            bound = self._keep((edge, said), self._projection.of_hop(edge, said))
        _record(bound, seconds, messages, context)

    def waited(self, seconds: float, wait: Wait, context: Context) -> None:
        """See `Edges`."""
        bound = self._known.get(wait)
        if bound is None:
            bound = self._keep(wait, self._projection.of_wait(wait))
        _record(bound, seconds, 1, context)

    def _keep(self, key: tuple[Any, ...], series: Iterable[Series]) -> list[_Bound]:
        bound = [
            _Bound(metric, self._made.get(metric.name) or self._make(metric), dict(labels))
            for metric, labels in series
        ]
        if len(self._known) >= _LIMIT:
            self._known = {}
        self._known[key] = bound
        return bound

    def _make(self, metric: Metric) -> Counter | Histogram:
        name, unit, description, buckets, _ = metric
        made: Counter | Histogram
        if buckets:
            made = self._meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=buckets
            )
        else:
            made = self._meter.create_counter(name, unit, description)
        return self._made.setdefault(name, made)


def _record(bound: list[_Bound], seconds: float, messages: int, context: Context) -> None:
    for metric, instrument, labels in bound:
        if metric.buckets:
            instrument.record(seconds, labels, context)
        else:
            instrument.add(messages if metric.of_messages else 1, labels, context)
