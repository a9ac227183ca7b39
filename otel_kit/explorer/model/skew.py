"""Clocks that disagree: a child that seems to begin before its parent in another service.

Each such pair of services says how far one clock must at least be moved.  All pairs, the good ones
too, are constraints on one offset a service; the least offsets that satisfy them are taken.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.story import Parent, Skew
from otel_kit.records import SpanRecord

TOLERANCE_NS: Final = 1_000_000
"""A child earlier than its parent by less than this is clock jitter, not worth a word."""
_Pair = tuple[str, str]


def measure(
    spans: Mapping[SpanKey, SpanRecord], parents: Mapping[SpanKey, Parent]
) -> tuple[Skew, ...]:
    """The pairs of services whose clocks contradict what caused what, worst first."""
    early: dict[_Pair, list[int]] = {}
    for pair, early_ns in _earliness(spans, parents):
        if early_ns > TOLERANCE_NS:
            early.setdefault(pair, []).append(early_ns)
    found = [
        Skew(service, against, max(seen) / 1e9, len(seen))
        for (against, service), seen in early.items()
    ]
    return tuple(sorted(found, key=lambda skew: -skew.seconds))


def offsets(
    spans: Mapping[SpanKey, SpanRecord], parents: Mapping[SpanKey, Parent]
) -> dict[str, int]:
    """Nanoseconds to add to each service's times so that no child begins before its parent.

    Where the clocks contradict each other in a circle (they drift), as much as can be is mended.
    """
    least: dict[_Pair, int] = {}
    for pair, early_ns in _earliness(spans, parents):
        least[pair] = max(early_ns, least.get(pair, early_ns))
    found = dict.fromkeys((span.service for span in spans.values()), 0)
    for _ in range(min(len(found), 100)):
        moved = False
        for (parent, child), early_ns in least.items():
            wanted = found[parent] + early_ns
            if wanted > found[child]:
                found[child], moved = wanted, True
        if not moved:
            break
    return found


def shifted(span: SpanRecord, by_ns: int) -> SpanRecord:
    """The span, with its events, moved in time."""
    if not by_ns:
        return span
    events = [replace(event, time_ns=event.time_ns + by_ns) for event in span.events]
    return replace(
        span,
        started_ns=span.started_ns + by_ns,
        ended_ns=span.ended_ns + by_ns,
        events=events,
    )


def _earliness(
    spans: Mapping[SpanKey, SpanRecord], parents: Mapping[SpanKey, Parent]
) -> Iterable[tuple[_Pair, int]]:
    for key, above in parents.items():
        child, parent = spans[key], spans[above.key]
        if child.service != parent.service:
            yield (parent.service, child.service), parent.started_ns - child.started_ns
