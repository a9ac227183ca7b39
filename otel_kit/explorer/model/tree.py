"""Which span stands below which: by parent id, else by link; never in a circle."""

from collections.abc import Iterable, Mapping

from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.story import Parent
from otel_kit.records import SpanRecord

Spans = Mapping[SpanKey, SpanRecord]


def parents_of(spans: Spans) -> dict[SpanKey, Parent]:
    """The parent of every span that has one among `spans`, circles included."""
    elsewhere = _unique_ids(spans)
    found = {}
    for key, span in spans.items():
        if (above := _parent(span, spans, elsewhere)) is not None:
            found[key] = above
    return found


def _unique_ids(spans: Spans) -> dict[str, SpanKey | None]:
    """Span ids, to their spans if they are unique over all traces."""
    found: dict[str, SpanKey | None] = {}
    for key in spans:
        found[key[1]] = None if key[1] in found else key
    return found


def _parent(
    span: SpanRecord, spans: Spans, elsewhere: Mapping[str, SpanKey | None]
) -> Parent | None:
    if span.parent_span_id:
        here = (span.trace_id, span.parent_span_id)
        above = here if here in spans else elsewhere.get(span.parent_span_id)
        if above is not None:
            return Parent(above, "parent")
    linked = [key for link in span.links if (key := (link.trace_id, link.span_id)) in spans]
    if not linked:
        return None
    return Parent(max(linked, key=lambda key: (spans[key].ended_ns, key)), "link")


def cut_cycles(spans: Spans, parents: dict[SpanKey, Parent]) -> list[SpanKey]:
    """Make a root of the earliest span of every circle in `parents`; returns those."""
    done: set[SpanKey] = set()
    cut = []
    for start in spans:
        path: dict[SpanKey, None] = {}
        here: SpanKey | None = start
        while here is not None and here not in done and here not in path:
            path[here] = None
            here = parents[here].key if here in parents else None
        if here is not None and here in path:
            walked = list(path)
            circle = walked[walked.index(here) :]
            first = min(circle, key=lambda key: (spans[key].started_ns, key))
            del parents[first]
            cut.append(first)
        done.update(path)
    return cut


def children_of(
    ordered: Iterable[SpanKey], parents: Mapping[SpanKey, Parent]
) -> tuple[dict[SpanKey, list[SpanKey]], list[SpanKey]]:
    """The children of each span and the roots, in the order given."""
    children: dict[SpanKey, list[SpanKey]] = {}
    roots = []
    for key in ordered:
        if (above := parents.get(key)) is None:
            roots.append(key)
        else:
            children.setdefault(above.key, []).append(key)
    return children, roots
