"""Which queries have no answer, however much goes wrong in the demo.

The demo's faults take turns until everything that is asked has an answer.
"""

from itertools import cycle

from tests.dashboards.prometheus import Prometheus, wait_for
from tests.dashboards.queries import Asked
from tests.demo.conftest import RunningDemo

FAULTS = ("out-of-stock", "bank-down", "poison-message", "consumer-stalled", "billing-declines")
PATIENCE = 10
"""So many turns; each fault comes twice."""
TURN = 4.0
"""Seconds."""


class Blind:
    """The queries that have had no answer so far."""

    def __init__(self, prometheus: Prometheus, queries: list[Asked]) -> None:
        self._prometheus = prometheus
        self.queries = queries

    def gone(self) -> bool:
        """Ask again; whether none is left."""
        self.queries = [each for each in self.queries if not self._prometheus.has_data(each.expr)]
        return not self.queries

    def __str__(self) -> str:
        return "".join(f"\n  {each}" for each in self.queries)


def after_faults(demo: RunningDemo, prometheus: Prometheus, queries: list[Asked]) -> Blind:
    """Those of the queries that have no answer when each fault has come twice."""
    blind = Blind(prometheus, queries)
    wait_for(lambda: prometheus.has_data('otel_kit_saga_finished_total{outcome="completed"}'), 30)
    assert not demo.get("/orders/nobody-placed-it").is_success

    for _, fault in zip(range(PATIENCE), cycle(FAULTS), strict=False):
        with demo.broken(fault):
            if wait_for(blind.gone, TURN):
                break
    return blind
