"""Puts the traces of one saga on one axis: by parent, by link, and by the saga's id."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain

from otel_kit import names
from otel_kit.explorer.model import facts, gaps, skew, tree
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.story import Gap, JoinedBy, Joint, Parent, Story
from otel_kit.records import SagaDetail, SpanRecord


def stitch(detail: SagaDetail, *, correct_skew: bool = False) -> Story:
    """The story of a saga; with `correct_skew`, on one clock as far as that can be had."""
    spans, doubled = _index(detail)
    parents = tree.parents_of(spans)
    cut = tree.cut_cycles(spans, parents)
    skews = skew.measure(spans, parents)
    if correct_skew and skews:
        offsets = skew.offsets(spans, parents)
        spans = {key: skew.shifted(span, offsets[span.service]) for key, span in spans.items()}
    spans = {facts.key(span): span for span in sorted(spans.values(), key=_place)}
    children, roots = tree.children_of(spans, parents)
    started, ended = _bounds(detail, spans)
    story = Story(
        detail.saga, spans, parents, children, roots, _joints(detail, spans, parents), (), skews,
        detail.logs, detail.truncated, started, ended,
    )  # fmt: skip
    return replace(story, gaps=tuple(_gaps(story, roots, cut, doubled)))


def _index(detail: SagaDetail) -> tuple[dict[SpanKey, SpanRecord], list[SpanKey]]:
    """Spans by start, whatever their order was, and the keys that different spans share.

    A span delivered twice is no matter.
    """
    spans: dict[SpanKey, SpanRecord] = {}
    doubled = []
    given = chain.from_iterable(trace.spans for trace in detail.traces)
    for span in sorted(map(_forwards, given), key=_place):
        known = spans.setdefault(facts.key(span), span)
        if known != span:
            doubled.append(facts.key(span))
    return spans, list(dict.fromkeys(doubled))


def _place(span: SpanRecord) -> tuple[int, SpanKey]:
    return span.started_ns, facts.key(span)


def _forwards(span: SpanRecord) -> SpanRecord:
    """A span that ends before it starts lasts no time."""
    if span.ended_ns >= span.started_ns:
        return span
    return replace(span, ended_ns=span.started_ns)


def _bounds(detail: SagaDetail, spans: Mapping[SpanKey, SpanRecord]) -> tuple[int, int]:
    if not spans:
        times = [log.time_ns for log in detail.logs] or [detail.saga.started_ns]
        return min(times), max(times)
    return (
        min(span.started_ns for span in spans.values()),
        max(span.ended_ns for span in spans.values()),
    )


def _gaps(
    story: Story, roots: list[SpanKey], cut: list[SpanKey], doubled: list[SpanKey]
) -> Iterable[Gap]:
    yield from gaps.lost_contexts(story.spans, roots, story.answered())
    yield from gaps.missing_parents(story.spans, story.parents)
    yield from gaps.cycles(story.spans, cut)
    yield from gaps.duplicates(story.spans, doubled)


def _joints(
    detail: SagaDetail, spans: Mapping[SpanKey, SpanRecord], parents: Mapping[SpanKey, Parent]
) -> tuple[Joint, ...]:
    """One for each trace, by start; the strongest reason counts."""
    reasons: dict[str, set[JoinedBy]] = {}
    for key, span in spans.items():
        found = reasons.setdefault(span.trace_id, set())
        if facts.text(span.attributes, names.SAGA_ID) == detail.saga.id:
            found.add("id")
        if (above := parents.get(key)) is not None and above.key[0] != span.trace_id:
            found.add(above.by)
        for link in span.links:
            if link.trace_id != span.trace_id and (link.trace_id, link.span_id) in spans:
                found.add("link")
                reasons.setdefault(link.trace_id, set())
    return tuple(
        Joint(trace_id, _strongest(found) if number else "first")
        for number, (trace_id, found) in enumerate(_by_start(reasons, spans))
    )


def _by_start(
    reasons: dict[str, set[JoinedBy]], spans: Mapping[SpanKey, SpanRecord]
) -> list[tuple[str, set[JoinedBy]]]:
    starts: dict[str, int] = {}
    for span in spans.values():
        known = starts.setdefault(span.trace_id, span.started_ns)
        starts[span.trace_id] = min(known, span.started_ns)
    return sorted(reasons.items(), key=lambda item: starts[item[0]])


def _strongest(found: set[JoinedBy]) -> JoinedBy:
    ranked: tuple[JoinedBy, ...] = ("parent", "link", "id")
    return next((by for by in ranked if by in found), "unknown")
