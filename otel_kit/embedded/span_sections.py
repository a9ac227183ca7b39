"""The spans of a request field by field: Python is quickest with a list for each field.

A section is the spans of one scope.  What can be asked of a whole list at once is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, compress
from operator import attrgetter
from typing import Any, Final

from otel_kit.embedded import otlp
from otel_kit.embedded.batches import TraceSlice
from otel_kit.embedded.config import MAX_NAME
from otel_kit.embedded.span_views import INDEXED

_MAX_TIME: Final = 2**63 - 1
"""The year 2262; SQLite's integers end here."""
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)
_name_and_kind: Final = attrgetter("name", "kind")


@dataclass(slots=True)
class Section:
    """Spans (of `span_views.INDEXED`) of one service, and of each its trace id and times."""

    service: str
    spans: list[Any]
    trace_ids: list[bytes]
    starts: list[int]
    ends: list[int]

    def is_valid(self) -> bool:
        """Whether `fault` finds none in any span."""
        span_ids = [span.span_id for span in self.spans]
        parents = [span.parent_span_id for span in self.spans]
        return (
            {16}.issuperset(map(len, self.trace_ids))
            and {8}.issuperset(map(len, span_ids))
            and {0, 8}.issuperset(map(len, parents))
            and _NO_TRACE not in self.trace_ids
            and _NO_SPAN not in span_ids
            and max(chain(self.starts, self.ends), default=0) <= _MAX_TIME
        )

    def operations(self) -> Iterator[tuple[str, str, int]]:
        """Service, span name and kind number of every span."""
        found = set(map(_name_and_kind, self.spans))
        return ((self.service, name[:MAX_NAME], kind) for name, kind in found)

    def add_to(self, traces: dict[bytes, TraceSlice]) -> None:
        """Add what these spans say about their traces."""
        for trace_id, start, end in zip(self.trace_ids, self.starts, self.ends, strict=True):
            trace = traces.get(trace_id)
            if trace is None:
                traces[trace_id] = TraceSlice(start, end, 1)
                continue
            if start < trace.started_ns:
                trace.started_ns = start
            if end > trace.ended_ns:
                trace.ended_ns = end
            trace.spans += 1
        failed = [span.status.code == otlp.STATUS_ERROR for span in self.spans]
        for trace_id in compress(self.trace_ids, failed):
            traces[trace_id].errors += 1


def read(body: bytes) -> list[Section]:
    """The sections of a request that ``ExportTraceServiceRequest`` accepts."""
    return [
        _section(otlp.service_name(group.resource)[:MAX_NAME], list(scope_spans.spans))
        for group in INDEXED.FromString(body).resource_spans
        for scope_spans in group.scope_spans
    ]


def _section(service: str, spans: list[Any]) -> Section:
    return Section(
        service,
        spans,
        [span.trace_id for span in spans],
        [span.start_time_unix_nano for span in spans],
        [span.end_time_unix_nano for span in spans],
    )


def fault(span: Any) -> str:
    """Why a span is refused; empty if it is not."""
    if len(span.trace_id) != 16 or span.trace_id == _NO_TRACE:
        return "a span's trace_id must be 16 bytes and not all zero"
    if len(span.span_id) != 8 or span.span_id == _NO_SPAN:
        return "a span's span_id must be 8 bytes and not all zero"
    if len(span.parent_span_id) not in (0, 8):
        return "a span's parent_span_id must be empty or 8 bytes"
    if span.start_time_unix_nano > _MAX_TIME or span.end_time_unix_nano > _MAX_TIME:
        return "a span's times must be before the year 2262"
    return ""
