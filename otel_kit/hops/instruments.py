"""Edge metrics in OpenTelemetry's instruments: for a meter provider of the application's own."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter

from otel_kit.hops.edges import Conventional, Edge, Wait
from otel_kit.hops.metric import Metric
from otel_kit.hops.series import Projection, Series


class Instruments:
    """One measurement for each series of a hop; whatever the provider can do works for them."""

    def __init__(self, meter: Meter, projection: Projection) -> None:
        self._meter, self._projection = meter, projection
        self._made: dict[str, Any] = {}

    def hop(
        self, seconds: float, edge: Edge | None, said: Conventional | None, messages: int,
        context: Context,
    ) -> None:  # fmt: skip
        """See `Edges`."""
        self._record(self._projection.of_hop(edge, said), seconds, messages, context)

    def waited(self, seconds: float, wait: Wait, context: Context) -> None:
        """See `Edges`."""
        self._record(self._projection.of_wait(wait), seconds, 1, context)

    def _record(
        self, series: Iterable[Series], seconds: float, messages: int, context: Context
    ) -> None:
        for metric, labels in series:
            instrument: Any = self._made.get(metric.name) or self._make(metric)
            if metric.buckets:
                instrument.record(seconds, dict(labels), context)
            else:
                instrument.add(messages if metric.of_messages else 1, dict(labels), context)

    def _make(self, metric: Metric) -> Counter | Histogram:
        name, unit, description, buckets, _ = metric
        made: Counter | Histogram
        if buckets:
            made = self._meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=buckets
            )
        else:
            made = self._meter.create_counter(name, unit, description)
        return self._made.setdefault(name, made)  # type: ignore[no-any-return]
