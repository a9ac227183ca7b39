"""Edges, queues, breakers and propagation from Prometheus, by the kit's own metrics."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from otel_kit import names
from otel_kit.explorer.source import fields
from otel_kit.explorer.source.base import Rows
from otel_kit.explorer.source.http import TIMEOUT_S, JsonClient
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    Quantiles,
    QueueRecord,
)

Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = dict[Labels, float]

WINDOW_S: Final = 900
"""Counters and histograms are read over the last quarter of an hour."""
_RECEIVING: Final = ("server", "consumer")
_STATES: Final = ("closed", "half_open", "open")
_QUANTILES: Final = (0.5, 0.95, 0.99)
_EDGE: Final = (names.CLIENT, names.SERVER, names.TRANSPORT)
_QUEUE: Final = (names.TRANSPORT, names.DESTINATION, names.GROUP)
_BREAKER: Final = (names.NAME, names.SERVER, "job")
_HOP: Final = (*_EDGE, names.DESTINATION)


class _Metric(NamedTuple):
    """An OpenTelemetry name as Prometheus spells it, with its unit and type behind."""

    name: str
    suffix: str = ""

    def __str__(self) -> str:
        return self.name.replace(".", "_") + self.suffix


_DURATION: Final = _Metric(names.HOP_DURATION, "_seconds")
_DWELL: Final = _Metric(names.QUEUE_DURATION, "_seconds")
_DEPTH: Final = _Metric(names.QUEUE_DEPTH)
_LAG: Final = _Metric(names.QUEUE_LAG)
_LAG_TIME: Final = _Metric(names.QUEUE_LAG_TIME, "_seconds")
_STATE: Final = _Metric(names.BREAKER_STATE, "_ratio")
_CHANGED: Final = _Metric(names.BREAKER_CHANGED, "_seconds")
_OPEN_TIME: Final = _Metric(names.BREAKER_TIME, "_seconds_total")
_TRANSITIONS: Final = _Metric(names.BREAKER_TRANSITIONS, "_total")
_REJECTED: Final = _Metric(names.BREAKER_REJECTED, "_total")
_PROPAGATION: Final = _Metric(names.PROPAGATION_MESSAGES, "_total")


class PrometheusRows:
    """Asks Prometheus's HTTP API; all methods raise SourceDown or BadAnswer."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """`url` is Prometheus's; raises ValueError if it is no address."""
        self._client = JsonClient(url, timeout_s=timeout_s)

    @property
    def url(self) -> str:
        """Where it is."""
        return self._client.url

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def edges(self) -> Rows[EdgeRecord]:
        """Pairs of services; where the receiving side reports, its measurement counts."""
        sided = (*_EDGE, names.SIDE)
        calls = self._increase(f"{_DURATION}_count", sided)
        errors = self._increase(
            f'{_DURATION}_count{{{names.ERROR_CLASS}!=""}}', (*sided, names.ERROR_CLASS)
        )
        lasted = self._quantiles(_DURATION, sided)
        waited = self._quantiles(_DWELL, _EDGE)
        found = []
        for edge, side in _sides(calls).items():
            key = (*edge, side)
            classes = {k[4]: round(n) for k, n in errors.items() if k[:4] == key and round(n)}
            found.append(
                EdgeRecord(
                    edge[0], edge[1], edge[2], side, round(calls[key]), classes,
                    _spread(lasted, key), _spread(waited, edge),
                )
            )  # fmt: skip
        return Rows(tuple(sorted(found, key=lambda e: (e.client, e.server, e.transport))), WINDOW_S)

    def queues(self) -> Rows[QueueRecord]:
        """Queues; depth and lag as last reported, waits within the window."""
        depth, lag, lag_time = (
            self._gauge(str(metric), _QUEUE, how)
            for metric, how in ((_DEPTH, "max"), (_LAG, "sum"), (_LAG_TIME, "max"))
        )
        consumed = self._increase(f"{_DWELL}_count", _QUEUE)
        waited = self._quantiles(_DWELL, _QUEUE)
        keys = sorted({*depth, *lag, *lag_time, *consumed})
        found = (
            QueueRecord(
                key[0], key[1], key[2], depth.get(key), lag.get(key), lag_time.get(key),
                round(consumed.get(key, 0)), _spread(waited, key),
            )
            for key in keys
        )  # fmt: skip
        return Rows(tuple(found), WINDOW_S)

    def breakers(self) -> Rows[BreakerRecord]:
        """Breakers by name, server and service (Prometheus's job), over all instances."""
        states = self._gauge(str(_STATE), (*_BREAKER, names.STATE), "max")
        since = self._gauge(str(_CHANGED), _BREAKER, "max")
        opened = self._increase(f'{_OPEN_TIME}{{{names.STATE}="open"}}', _BREAKER)
        moved = self._increase(str(_TRANSITIONS), _BREAKER)
        refused = self._increase(str(_REJECTED), _BREAKER)
        found = []
        for key in sorted({key[:3] for key in states}):
            state = max(
                (s for s in _STATES if states.get((*key, s))), key=_STATES.index, default=""
            )
            found.append(
                BreakerRecord(
                    key[0], key[1], _service(key[2]), state or names.UNKNOWN, since.get(key),
                    opened.get(key, 0.0), round(moved.get(key, 0)), round(refused.get(key, 0)),
                )
            )  # fmt: skip
        return Rows(tuple(found), WINDOW_S)

    def propagation(self) -> Rows[PropagationRecord]:
        """What became of the context; Prometheus does not tell since when, nor why."""
        counts = self._increase(str(_PROPAGATION), (*_HOP, names.RESULT))
        results: dict[Labels, dict[str, int]] = {}
        for key, count in counts.items():
            results.setdefault(key[:4], {})[key[4]] = round(count)
        found = (
            PropagationRecord(key[0] or names.UNKNOWN, key[1], key[2], key[3], results[key])
            for key in sorted(results)
            if sum(results[key].values())
        )
        return Rows(tuple(found), WINDOW_S)

    # -- queries ----------------------------------------------------------------------------------

    def _increase(self, series: str, by: Sequence[str]) -> Values:
        return self._query(f"sum by ({', '.join(by)}) (increase({series}[{WINDOW_S}s]))", by)

    def _gauge(self, series: str, by: Sequence[str], how: str) -> Values:
        return self._query(f"{how} by ({', '.join(by)}) ({series})", by)

    def _quantiles(self, metric: _Metric, by: Sequence[str]) -> list[Values]:
        buckets = f"sum by ({', '.join(by)}, le) (increase({metric}_bucket[{WINDOW_S}s]))"
        return [self._query(f"histogram_quantile({q}, {buckets})", by) for q in _QUANTILES]

    def _query(self, promql: str, by: Sequence[str]) -> Values:
        answer = self._client.get("/api/v1/query", {"query": promql})
        return fields.reading(f"{self.url}/api/v1/query", lambda: _vector(answer, by))


def _vector(answer: object, by: Sequence[str]) -> Values:
    """The samples of an instant vector by their labels; what is not a number is left out."""
    data = fields.mapping(fields.mapping(answer, "the answer").get("data"), "data")
    found = {}
    for sample in fields.objects(data.get("result"), "result"):
        labels = fields.mapping(sample.get("metric"), "metric")
        value = float(sample["value"][1])
        if value - value == 0:
            found[tuple(fields.text(labels, name) for name in by)] = value
    return found


def _sides(calls: Iterable[Labels]) -> dict[Labels, str]:
    """The side to believe, by pair."""
    found: dict[Labels, str] = {}
    for *edge, side in calls:
        if side in _RECEIVING or tuple(edge) not in found:
            found[tuple(edge)] = side
    return found


def _spread(quantiles: Sequence[Values], key: Labels) -> Quantiles:
    return Quantiles(*(values.get(key) for values in quantiles))


def _service(job: str) -> str:
    """OTLP's job is ``namespace/service``."""
    return job.rpartition("/")[2]
