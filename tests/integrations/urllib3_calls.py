"""What the tests of urllib3 share: what a call has recorded, and a pool that refuses."""

from typing import Any

from opentelemetry.trace import SpanKind
from urllib3 import HTTPConnectionPool

from otel_kit import names
from otel_kit.testing import Telemetry

CLIENT = SpanKind.CLIENT


def attributes(telemetry: Telemetry) -> dict[str, Any]:
    return dict(telemetry.span(kind=CLIENT).attributes or {})


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, **labels)


class Refusing(HTTPConnectionPool):
    """A pool that has no connection to give."""

    refusal: Exception

    def _get_conn(self, timeout: float | None = None) -> Any:
        raise self.refusal
