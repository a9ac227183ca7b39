"""Log lines as a list: those of a saga, and those of one span."""

import time
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from otel_kit.explorer.charts.time_axis import exact
from otel_kit.explorer.model import logs
from otel_kit.explorer.views import links, saga_list, shell
from otel_kit.explorer.views.linked import Linked
from otel_kit.records import LogRecord

_HEADS: Final = ("Time", "UTC", "Service", "Severity", "Event or message", "Span")


def show(lines: Sequence[LogRecord], started_ns: int, *, key: str) -> None:
    """A table; each line leads to its span."""
    _LINES.show(html(lines, started_ns), key=key, colours=saga_list.colours(shell.palette()))


def html(lines: Sequence[LogRecord], started_ns: int, *, with_span: bool = True) -> str:
    """The table as safe HTML, styled by ``log_lines.css``."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS[: 6 if with_span else 5])
    rows = "".join(f"<tr>{''.join(_cells(line, started_ns, with_span))}</tr>" for line in lines)
    return f'<table class="lines"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _cells(line: LogRecord, started_ns: int, with_span: bool) -> Iterator[str]:
    clock = time.strftime("%H:%M:%S", time.gmtime(line.time_ns // 10**9))
    day = time.strftime("%Y-%m-%d", time.gmtime(line.time_ns // 10**9))
    level = logs.level(line)
    event = f"<b>{escape(line.event_name)}</b> " if line.event_name else ""
    yield f'<td class="n">{exact(line.time_ns - started_ns)}</td>'
    yield f'<td class="n" title="{day}">{clock}.{line.time_ns % 10**9 // 10**6:03d}</td>'
    yield f"<td>{escape(line.service)}</td>"
    yield f'<td><span class="level {level.lower()}">{escape(line.severity)}</span></td>'
    yield f'<td class="said">{event}{escape(logs.body(line))}{_attributes(line)}</td>'
    if with_span:
        yield f"<td>{_span(line)}</td>"


def _attributes(line: LogRecord) -> str:
    said = [f"{key}={logs.as_text(value)}" for key, value in line.attributes.items()]
    return f"<small>{escape(' · '.join(said))}</small>" if said else ""


def _span(line: LogRecord) -> str:
    if not line.trace_id or not line.span_id:
        return ""
    address = escape(links.here(span=f"{line.trace_id}.{line.span_id}"))
    return f'<a href="{address}">{escape(line.span_id[:8])}</a>'


_LINES: Final = Linked("log_lines")
