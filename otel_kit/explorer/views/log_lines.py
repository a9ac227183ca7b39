"""Log lines as a list: those of a saga, and those of one span."""

import time
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from otel_kit.explorer.charts.time_axis import exact
from otel_kit.explorer.model import logs
from otel_kit.explorer.views import links, saga_list, shell
from otel_kit.explorer.views.linked import Linked
from otel_kit.records import LogRecord


def show(lines: Sequence[LogRecord], started_ns: int, *, key: str) -> None:
    """A table; each line leads to its span."""
    _LINES.show(html(lines, started_ns), key=key, colours=saga_list.colours(shell.palette()))


def html(lines: Sequence[LogRecord], started_ns: int, *, with_span: bool = True) -> str:
    """The table as safe HTML, styled by ``log_lines.css``; without what no line has."""
    columns: dict[str, Callable[[LogRecord], str]] = {
        "Time": lambda line: f'<td class="n">{exact(line.time_ns - started_ns)}</td>',
        "UTC": _clock,
        "Service": lambda line: f"<td>{escape(line.service)}</td>",
        "Severity": _severity,
        "Event or message": _said,
        "Span": _span,
    }
    if not any(line.severity for line in lines):
        del columns["Severity"]
    if not with_span:
        del columns["Span"]
    heads = "".join(f'<th scope="col">{head}</th>' for head in columns)
    rows = "".join(f"<tr>{''.join(cell(line) for cell in columns.values())}</tr>" for line in lines)
    return f'<table class="lines"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _clock(line: LogRecord) -> str:
    at = time.gmtime(line.time_ns // 10**9)
    clock = f"{time.strftime('%H:%M:%S', at)}.{line.time_ns % 10**9 // 10**6:03d}"
    return f'<td class="n" title="{time.strftime("%Y-%m-%d", at)}">{clock}</td>'


def _severity(line: LogRecord) -> str:
    level = logs.level(line).lower()
    return f'<td><span class="level {level}">{escape(line.severity)}</span></td>'


def _said(line: LogRecord) -> str:
    event = f"<b>{escape(line.event_name)}</b> " if line.event_name else ""
    return f'<td class="said">{event}{escape(logs.body(line))}{_attributes(line)}</td>'


def _attributes(line: LogRecord) -> str:
    said = [f"{key}={logs.as_text(value)}" for key, value in line.attributes.items()]
    return f"<small>{escape(' · '.join(said))}</small>" if said else ""


def _span(line: LogRecord) -> str:
    if not line.trace_id or not line.span_id:
        return "<td></td>"
    address = escape(links.here(span=f"{line.trace_id}.{line.span_id}"))
    return f'<td><a href="{address}">{escape(line.span_id[:8])}</a></td>'


_LINES: Final = Linked("log_lines")
