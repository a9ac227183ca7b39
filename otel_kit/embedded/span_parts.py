"""Splits a request that cannot be kept as it came: it is too large, or has faulty spans."""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, Final, TypeAlias

from otel_kit.embedded.batches import Rejected
from otel_kit.embedded.config import BLOCK_BYTES, BLOCK_SPANS
from otel_kit.embedded.span_sections import fault
from otel_kit.embedded.span_views import INDEXED, PACKED

_Packed: TypeAlias = tuple[bytes, bytes]
"""A span's trace id and the span as it came."""
_trace_id: Final = itemgetter(0)


def split(body: bytes, rejected: Rejected) -> Iterator[bytes]:
    """Requests of the valid spans, those of one trace side by side; the others are counted."""
    part = _Part()
    packed, indexed = PACKED.FromString(body), INDEXED.FromString(body)
    for group, facts in zip(packed.resource_spans, indexed.resource_spans, strict=True):
        for scope_spans, views in zip(group.scope_spans, facts.scope_spans, strict=True):
            spans = list(_valid(views.spans, scope_spans.spans, rejected))
            spans.sort(key=_trace_id)
            for span in spans:
                if part.is_full():
                    yield part.request.SerializeToString()
                    part = _Part()
                part.add(group, scope_spans, span)
    yield part.request.SerializeToString()


def _valid(spans: Iterable[Any], data: Iterable[bytes], rejected: Rejected) -> Iterator[_Packed]:
    for span, packed in zip(spans, data, strict=True):
        reason = fault(span)
        if reason:
            rejected.add(reason)
        else:
            yield span.trace_id, packed


class _Part:
    """A request in the making."""

    def __init__(self) -> None:
        self.request = PACKED()
        self._group: Any = None
        self._scope_spans: Any = None
        self._spans = self._bytes = 0

    def is_full(self) -> bool:
        return self._spans >= BLOCK_SPANS or self._bytes >= BLOCK_BYTES

    def add(self, group: Any, scope_spans: Any, span: _Packed) -> None:
        """Add a span of that group and scope."""
        if self._group is not group:
            self._group, self._scope_spans = group, None
            target = self.request.resource_spans.add(schema_url=group.schema_url)
            target.resource.CopyFrom(group.resource)
        if self._scope_spans is not scope_spans:
            self._scope_spans = scope_spans
            scope = self.request.resource_spans[-1].scope_spans.add(
                schema_url=scope_spans.schema_url
            )
            scope.scope.CopyFrom(scope_spans.scope)
        self.request.resource_spans[-1].scope_spans[-1].spans.append(span[1])
        self._spans += 1
        self._bytes += len(span[1])
