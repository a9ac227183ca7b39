"""A span's details as safe HTML: every text in it was sent by some service, and is escaped."""

import time
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from otel_kit.explorer.charts.time_axis import exact
from otel_kit.explorer.model import facts, logs
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.views import links, log_lines
from otel_kit.explorer.views.reading import Opened
from otel_kit.records import Attributes, EventRecord, LinkRecord, LogRecord, SpanRecord

_MOST_RELATIVES: Final = 12
_MOST_ROWS: Final = 200
_LONG: Final = 160
"""A longer value is folded."""


def head(opened: Opened, span: SpanRecord) -> str:
    """Name, kind, and the figures that everybody asks for."""
    error = facts.error_class(span)
    chips = [_chip(span.kind or "internal", "var(--muted)")]
    if error:
        chips.append(_chip(error, "var(--error)"))
    reason = facts.reason(span)
    said = f'<p class="reason">{escape(reason)}</p>' if reason else ""
    figures = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in _figures(opened, span)
    )
    title = f"<h2>{escape(span.name or 'unnamed')} {''.join(chips)}</h2>"
    return f'<div class="head">{title}{said}<dl>{figures}</dl></div>'


def _figures(opened: Opened, span: SpanRecord) -> Iterator[tuple[str, str]]:
    key = facts.key(span)
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(span.started_ns // 10**9))
    step = next((each.step for each in opened.segments if each.span == key and each.step), "")
    yield "Service", span.service
    if step:
        yield "Step", step
    if peer := facts.peer(span) or facts.destination(span):
        yield "Other side", peer
    yield "Took", exact(span.ended_ns - span.started_ns)
    yield "Began after", exact(span.started_ns - opened.story.started_ns)
    yield "At, UTC", f"{clock}.{span.started_ns % 10**9 // 1000:06d}"
    yield "Status", span.status
    yield "Trace", span.trace_id
    yield "Span", span.span_id


def body(opened: Opened, span: SpanRecord, lines: Sequence[LogRecord], wanted: str) -> str:
    """Relatives, events, log lines and links beside attributes and resource.

    Of attributes, those that have `wanted` in their name or value, in any case.
    """
    story = opened.story
    key = facts.key(span)
    above = story.parent(key)
    below = [facts.key(each) for each in story.below(key)]
    linked = [(link.trace_id, link.span_id) for link in span.links]
    left = [
        _part("Attributes", _table(span.attributes, wanted), len(span.attributes)),
        _part("Resource", _table(span.resource, wanted), len(span.resource)),
        _part("Scope", _table(_scope(span), "")),
    ]
    right = [
        _part("Parent", _parent(opened, span, above)),
        _part("Children", _spans(opened, below), len(below)),
        _part("Links", _spans(opened, linked) + _link_attributes(span.links), len(linked)),
        _part("Events", _events(span.events, span.started_ns), len(span.events)),
        _part("Log lines", _lines(lines, story.started_ns), len(lines)),
    ]
    return f'<div class="two"><div>{"".join(left)}</div><div>{"".join(right)}</div></div>'


def _part(title: str, html: str, count: int | None = None) -> str:
    if not html or count == 0:
        return ""
    many = f" <small>{count}</small>" if count and count > 1 else ""
    return f"<section><h3>{title}{many}</h3>{html}</section>"


def _chip(text: str, colour: str) -> str:
    return f'<span class="chip" style="--c:{colour}">{escape(text)}</span>'


def _scope(span: SpanRecord) -> Attributes:
    said = {"name": span.scope, "version": span.scope_version, "trace state": span.trace_state}
    return {name: value for name, value in said.items() if value}


# -- tables ----------------------------------------------------------------------------------------


def _table(attributes: Attributes, wanted: str) -> str:
    found = [(name, logs.as_text(value)) for name, value in sorted(attributes.items())]
    shown = [(n, v) for n, v in found if wanted.casefold() in f"{n}\n{v}".casefold()]
    if found and not shown:
        return '<p class="none">none that has this</p>'
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{_value(value)}</td></tr>'
        for name, value in shown[:_MOST_ROWS]
    )
    return f"<table>{rows}</table>" + _further(len(shown), _MOST_ROWS) if rows else ""


def _value(value: str) -> str:
    if len(value) <= _LONG and "\n" not in value:
        return escape(value)
    first = value.strip().splitlines()[-1][:_LONG] if value.strip() else ""
    return f"<details><summary>{escape(first)}</summary><pre>{escape(value)}</pre></details>"


def _events(events: Sequence[EventRecord], started_ns: int) -> str:
    return "".join(
        f"<p><b>{escape(event.name)}</b> <small>after {exact(event.time_ns - started_ns)}</small>"
        f"</p>{_table(event.attributes, '')}"
        for event in events[:_MOST_ROWS]
    ) + _further(len(events), _MOST_ROWS)


def _link_attributes(found: Iterable[LinkRecord]) -> str:
    return "".join(_table(link.attributes, "") for link in found if link.attributes)


def _lines(lines: Sequence[LogRecord], started_ns: int) -> str:
    shown = log_lines.html(lines[:_MOST_ROWS], started_ns, with_span=False)
    return shown + _further(len(lines), _MOST_ROWS)


def _further(many: int, most: int) -> str:
    return f'<p class="none">and {many - most} more</p>' if many > most else ""


# -- relatives -------------------------------------------------------------------------------------


def _parent(opened: Opened, span: SpanRecord, above: SpanRecord | None) -> str:
    if above is not None:
        return _spans(opened, [facts.key(above)])
    if span.parent_span_id:
        return f'<p class="none">{escape(span.parent_span_id)}, which is not in this saga</p>'
    return ""


def _spans(opened: Opened, keys: Sequence[SpanKey]) -> str:
    items = "".join(f"<li>{_relative(opened, key)}</li>" for key in keys[:_MOST_RELATIVES])
    return f"<ul>{items}</ul>" + _further(len(keys), _MOST_RELATIVES) if items else ""


def _relative(opened: Opened, key: SpanKey) -> str:
    span = opened.story.spans.get(key)
    if span is None:
        where = escape(f"span {key[1]} of trace {key[0]}")
        return f'<span class="none">{where}, which is not in this saga</span>'
    address = escape(links.here(span=".".join(key)))
    failed = ' class="bad"' if facts.failed(span) else ""
    took = exact(span.ended_ns - span.started_ns)
    return (
        f'<a href="{address}"{failed}>{escape(span.name or "unnamed")}</a> '
        f"<small>{escape(span.service)} · {took}</small>"
    )
