"""Builds the queries: pure text.

Rates are taken over `$__rate_interval`, which Grafana makes long enough for four scrapes.
"""

from typing import Final

from dashboards.source.metrics import Metric

WINDOW: Final = "$__rate_interval"
FAULT: Final = 'error_class!~"|client_error|business|cancelled"'
"""What went wrong on the way or in the callee.  The first, empty class is success."""
REFUSAL: Final = 'error_class=~"client_error|business|cancelled"'
"""The caller's mistake or wish, or the application's own no: nothing to wake anybody for."""


def select(series: str, *where: str) -> str:
    """``series{a="b",c="d"}``."""
    matchers = ",".join(each for each in where if each)
    return f"{series}{{{matchers}}}" if matchers else series


def rate(series: str, *where: str) -> str:
    """Per second."""
    return f"rate({select(series, *where)}[{WINDOW}])"


def by(labels: str, expression: str, how: str = "sum") -> str:
    """Aggregate; the labels as ``client, server``, none for a single figure."""
    return f"{how} by ({labels}) ({expression})" if labels else f"{how}({expression})"


def rates(labels: str, series: str, *where: str) -> str:
    """Events per second, added up by labels."""
    return by(labels, rate(series, *where))


def quantile(q: float, metric: Metric, labels: str, *where: str) -> str:
    """Quantile `q` of a histogram, by labels, in seconds."""
    grouped = ", ".join(each for each in ("le", labels) if each)
    return f"histogram_quantile({q}, {rates(grouped, metric.bucket, *where)})"


def mean(metric: Metric, labels: str, *where: str) -> str:
    """Mean of a histogram, by labels, in seconds."""
    return f"{rates(labels, metric.sum, *where)} / ({rates(labels, metric.count, *where)} > 0)"


def percent(ratio: str) -> str:
    """Of a ratio from 0 to 1."""
    return f"100 * ({ratio})"


def milliseconds(seconds: str) -> str:
    """Of seconds."""
    return f"1000 * {seconds}"


def share(part: str, whole: str) -> str:
    """A ratio from 0 to 1; 0 where the part has no series yet, nothing without traffic."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def shares(labels: str, series: str, of: str, *where: str) -> str:
    """The share of events that match `of` among those that match `where`, by labels."""
    return share(rates(labels, series, *where, of), rates(labels, series, *where))


def counted(series: str, *where: str, window: str = "$__range") -> str:
    """How often in a window.

    A counter appears in Prometheus with its first event, which `increase` cannot see: a series
    that was not there when the window began counts as it stands.
    """
    selected = select(series, *where)
    return f"(({selected} unless {selected} offset {window}) or increase({selected}[{window}]))"
