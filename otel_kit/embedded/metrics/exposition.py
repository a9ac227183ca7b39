"""Series as Prometheus reads them: text format 0.0.4 and OpenMetrics 1.0 (with exemplars)."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from otel_kit.embedded.metrics import naming, series, values
from otel_kit.embedded.metrics.series import Exemplar, Series, SeriesKey

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_Item = tuple[SeriesKey, Series]


@dataclass(frozen=True, slots=True)
class _Sample:
    suffix: str
    value: float
    label: tuple[tuple[str, str], ...] = ()
    exemplar: Exemplar | None = None


def render(items: Iterable[_Item], openmetrics: bool) -> str:
    """The whole page.  Of families that clash in type, the first by name of its type is shown."""
    lines: list[str] = []
    for name, members in sorted(_families(items).items()):
        lines += _family(name, members, openmetrics)
    if openmetrics:
        lines.append("# EOF")
    return "\n".join([*lines, ""])


def _families(items: Iterable[_Item]) -> dict[str, list[_Item]]:
    families: dict[str, list[_Item]] = {}
    for key, state in sorted(items, key=_order):
        name = naming.family_name(key.name, state.unit, key.type)
        members = families.setdefault(name, [])
        if not members or members[0][0].type == key.type:
            members.append((key, state))
    return families


def _order(item: _Item) -> tuple[str, SeriesKey]:
    return item[0].type, item[0]


def _family(name: str, members: list[_Item], openmetrics: bool) -> Iterator[str]:
    key, state = members[0]
    shown = name if openmetrics or key.type != series.COUNTER else f"{name}_total"
    yield f"# HELP {shown} {_help(state.description)}"
    yield f"# TYPE {shown} {key.type}"
    seen = set()
    for member, its_state in members:
        labels = tuple(naming.labels(member).items())
        if labels in seen:  # two attribute values that read alike, such as 1 and "1"
            continue
        seen.add(labels)
        for sample in _samples(member, its_state):
            yield _line(name, labels, sample, openmetrics)


def _help(description: str) -> str:
    return description.replace("\\", "\\\\").replace("\n", "\\n")


def _line(
    name: str, labels: tuple[tuple[str, str], ...], sample: _Sample, openmetrics: bool
) -> str:
    rendered = naming.render_labels((*labels, *sample.label))
    line = f"{name}{sample.suffix}{rendered} {number(sample.value)}"
    if openmetrics and sample.exemplar:
        return line + _exemplar(sample.exemplar)
    return line


def _exemplar(exemplar: Exemplar) -> str:
    ids = (("trace_id", exemplar.trace_id), ("span_id", exemplar.span_id))
    labels = naming.render_labels(pair for pair in ids if pair[1]) or "{}"
    return f" # {labels} {number(exemplar.value)} {exemplar.time_ns / 1e9:.3f}"


def _samples(key: SeriesKey, state: Series) -> Iterator[_Sample]:
    match state.value:
        case values.Number(value):
            is_counter = key.type == series.COUNTER
            exemplar = state.exemplars[0] if is_counter and state.exemplars else None
            yield _Sample("_total" if is_counter else "", value, exemplar=exemplar)
        case values.Histogram() as histogram:
            yield from _buckets(histogram, state.exemplars)
        case values.Exponential() as exponential:
            yield from _buckets(exponential.as_histogram(), state.exemplars)
        case values.Summary(quantiles, sum_, count):
            for q, value in quantiles:
                yield _Sample("", value, (("quantile", number(q)),))
            yield from (_Sample("_sum", sum_), _Sample("_count", count))


def _buckets(histogram: values.Histogram, exemplars: Iterable[Exemplar]) -> Iterator[_Sample]:
    upto, lower = 0, -math.inf
    for bound, upto in histogram.cumulative():
        found = [e for e in exemplars if lower < e.value <= bound]
        newest = max(found, key=_time, default=None)
        yield _Sample("_bucket", upto, (("le", number(bound)),), newest)
        lower = bound
    yield from (_Sample("_sum", histogram.sum), _Sample("_count", upto))


def _time(exemplar: Exemplar) -> int:
    return exemplar.time_ns


def number(value: float) -> str:
    """As both formats write numbers."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))
