"""Edges, queues, breakers and propagation from Prometheus, by the kit's own metrics."""

from collections.abc import Iterable, Mapping
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
_FIGURE: Final = "otel_kit_figure"
"""The label by which the figures of one query are told apart."""


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


class _Figure(NamedTuple):
    """What to ask, and the labels that the answer is told apart by."""

    promql: str
    by: Labels


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
        told = self._ask(
            calls=_increase(f"{_DURATION}_count", sided),
            errors=_increase(
                f'{_DURATION}_count{{{names.ERROR_CLASS}!=""}}', (*sided, names.ERROR_CLASS)
            ),
            **_quantiles("lasted", _DURATION, sided),
            **_quantiles("waited", _DWELL, _EDGE),
        )
        found = []
        for edge, side in _sides(told["calls"]).items():
            key = (*edge, side)
            classes = {k[4]: round(n) for k, n in told["errors"].items() if k[:4] == key}
            found.append(
                EdgeRecord(
                    edge[0], edge[1], edge[2], side, round(told["calls"][key]),
                    {error_class: count for error_class, count in classes.items() if count},
                    _spread(told, "lasted", key), _spread(told, "waited", edge),
                )
            )  # fmt: skip
        return Rows(tuple(sorted(found, key=lambda e: (e.client, e.server, e.transport))), WINDOW_S)

    def queues(self) -> Rows[QueueRecord]:
        """Queues; depth and lag as last reported, waits within the window."""
        told = self._ask(
            depth=_gauge(_DEPTH, _QUEUE, "max"),
            lag=_gauge(_LAG, _QUEUE, "sum"),
            lag_time=_gauge(_LAG_TIME, _QUEUE, "max"),
            consumed=_increase(f"{_DWELL}_count", _QUEUE),
            **_quantiles("waited", _DWELL, _QUEUE),
        )
        depth, lag, lag_time = told["depth"], told["lag"], told["lag_time"]
        keys = sorted({*depth, *lag, *lag_time, *told["consumed"]})
        found = (
            QueueRecord(
                key[0], key[1], key[2], depth.get(key), lag.get(key), lag_time.get(key),
                round(told["consumed"].get(key, 0)), _spread(told, "waited", key),
            )
            for key in keys
        )  # fmt: skip
        return Rows(tuple(found), WINDOW_S)

    def breakers(self) -> Rows[BreakerRecord]:
        """Breakers by name, server and service (Prometheus's job), over all instances."""
        told = self._ask(
            states=_gauge(_STATE, (*_BREAKER, names.STATE), "max"),
            since=_gauge(_CHANGED, _BREAKER, "max"),
            opened=_increase(f'{_OPEN_TIME}{{{names.STATE}="open"}}', _BREAKER),
            moved=_increase(_TRANSITIONS, _BREAKER),
            refused=_increase(_REJECTED, _BREAKER),
        )
        states = told["states"]
        found = []
        for key in sorted({key[:3] for key in states}):
            state = max(
                (s for s in _STATES if states.get((*key, s))), key=_STATES.index, default=""
            )
            moved, refused = (round(told[name].get(key, 0)) for name in ("moved", "refused"))
            found.append(
                BreakerRecord(
                    key[0], key[1], _service(key[2]), state or names.UNKNOWN,
                    told["since"].get(key), told["opened"].get(key, 0.0), moved, refused,
                )
            )  # fmt: skip
        return Rows(tuple(found), WINDOW_S)

    def propagation(self) -> Rows[PropagationRecord]:
        """What became of the context; Prometheus does not tell since when, nor why."""
        told = self._ask(counts=_increase(_PROPAGATION, (*_HOP, names.RESULT)))
        results: dict[Labels, dict[str, int]] = {}
        for key, count in told["counts"].items():
            results.setdefault(key[:4], {})[key[4]] = round(count)
        found = (
            PropagationRecord(key[0] or names.UNKNOWN, key[1], key[2], key[3], results[key])
            for key in sorted(results)
            if sum(results[key].values())
        )
        return Rows(tuple(found), WINDOW_S)

    def _ask(self, **figures: _Figure) -> dict[str, Values]:
        """The figures by name, all of one moment: two queries might have a scrape between them."""
        named = (
            f'label_replace({figure.promql}, "{_FIGURE}", "{name}", "", "")'
            for name, figure in figures.items()
        )
        answer = self._client.get("/api/v1/query", {"query": " or ".join(named)})
        return fields.reading(f"{self.url}/api/v1/query", lambda: _told(answer, figures))


# -- queries --------------------------------------------------------------------------------------


def _increase(series: object, by: Labels) -> _Figure:
    return _Figure(f"sum by ({', '.join(by)}) (increase({series}[{WINDOW_S}s]))", by)


def _gauge(series: object, by: Labels, how: str) -> _Figure:
    return _Figure(f"{how} by ({', '.join(by)}) ({series})", by)


def _quantiles(name: str, metric: _Metric, by: Labels) -> dict[str, _Figure]:
    buckets = f"sum by ({', '.join(by)}, le) (increase({metric}_bucket[{WINDOW_S}s]))"
    return {f"{name} {q}": _Figure(f"histogram_quantile({q}, {buckets})", by) for q in _QUANTILES}


def _told(answer: object, figures: Mapping[str, _Figure]) -> dict[str, Values]:
    """The samples of an instant vector by their labels; what is not a number is left out."""
    data = fields.mapping(fields.mapping(answer, "the answer").get("data"), "data")
    found: dict[str, Values] = {name: {} for name in figures}
    for sample in fields.objects(data.get("result"), "result"):
        labels = fields.mapping(sample.get("metric"), "metric")
        value = float(sample["value"][1])
        if value - value == 0:
            name = fields.text(labels, _FIGURE)
            found[name][tuple(fields.text(labels, one) for one in figures[name].by)] = value
    return found


def _sides(calls: Iterable[Labels]) -> dict[Labels, str]:
    """The side to believe, by pair."""
    found: dict[Labels, str] = {}
    for *edge, side in calls:
        if side in _RECEIVING or tuple(edge) not in found:
            found[tuple(edge)] = side
    return found


def _spread(told: Mapping[str, Values], name: str, key: Labels) -> Quantiles:
    return Quantiles(*(told[f"{name} {q}"].get(key) for q in _QUANTILES))


def _service(job: str) -> str:
    """OTLP's job is ``namespace/service``."""
    return job.rpartition("/")[2]
