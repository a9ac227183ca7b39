"""``target_info``: what a resource says beside service and instance, to be joined to its metrics.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", "Resource
Attributes".
"""

import time
from itertools import islice
from typing import Final

from otel_kit import names
from otel_kit.embedded.config import MAX_NAME
from otel_kit.embedded.metrics import series, values
from otel_kit.embedded.metrics.series import Point, SeriesKey
from otel_kit.embedded.otlp import ResourceView

NAME: Final = "target_info"
MAX_ATTRIBUTES: Final = 32
"""Of one resource, the first by name; values are cut at `MAX_NAME` characters, longer names left
out."""
_IDENTITY: Final = frozenset({names.SERVICE_NAME, names.SERVICE_INSTANCE_ID})


def target_info(resource: ResourceView, instance: str) -> list[Point]:
    """A gauge of 1 with the resource's attributes as labels; none if it has only an identity."""
    told = sorted(
        (key, series.label(value)[:MAX_NAME])
        for key, value in resource.attributes.items()
        if key not in _IDENTITY and len(key) <= MAX_NAME
    )
    if not told:
        return []
    labels = tuple(islice(told, MAX_ATTRIBUTES))
    key = SeriesKey(resource.service, instance, "", NAME, series.GAUGE, labels)
    return [Point(key, "", "Target metadata", values.Number(1), False, time.time_ns())]
