"""The sagas of `saga_shapes` without end, in batches as exporters send them, quick to make.

A saga is built once for each variant and encoded; later ones of the same variant are cast from it,
with ids and times of their own.  So the sender takes a tenth of the time that the collector takes.
"""

import itertools
import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from tests.benchmarks import saga_shapes
from tests.embedded import build

BATCH: Final = 512
"""Spans of one request: the default of OpenTelemetry's batch processor."""
EVERY_NS: Final = 10**6
"""Time between the starts of two sagas."""
_VARIANTS: Final = 100
"""Outcomes and names repeat after so many sagas."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One request and a saga that it is about."""

    body: bytes
    spans: int
    saga_id: str
    trace_id: bytes


def saga_id(number: int) -> str:
    """Not in order: an index gets its keys in any order in real life."""
    return f"order-{number * 38_742_913 % 10**8:08d}"


def batches(spans: int, start_ns: int) -> Iterator[Batch]:
    """Requests of `BATCH` spans of one service each, `spans` together; the rest is never sent.

    The sagas begin at `start_ns`; their ids are others each time.
    """
    first = random.randrange(10**8)
    moulds = [list(_moulds(number)) for number in range(_VARIANTS)]
    waiting: dict[str, list[bytes]] = {}
    sent = 0
    for number in itertools.count():
        ids, at = [os.urandom(16) for _ in range(3)], start_ns + number * EVERY_NS
        name = saga_id(first + number)
        for mould in moulds[number % _VARIANTS]:
            found = waiting.setdefault(mould.service, [])
            found.append(mould.cast(ids, name.encode(), at))
            if len(found) == BATCH:
                yield Batch(_request(mould.service, found), BATCH, name, ids[mould.trace])
                found.clear()
                sent += BATCH
                if sent >= spans:
                    return


@dataclass(frozen=True, slots=True)
class _Mould:
    """An encoded span, cut where one saga differs from the next."""

    service: str
    trace: int
    offset_ns: int
    parts: tuple[bytes, ...]

    def cast(self, trace_ids: list[bytes], saga: bytes, start_ns: int) -> bytes:
        start = start_ns + self.offset_ns
        end = start + random.randrange(10**7, 10**9)
        times = struct.pack("<Q", start), struct.pack("<Q", end)
        own = (trace_ids[self.trace], os.urandom(8), *times, saga, b"")
        return b"".join(itertools.chain.from_iterable(zip(self.parts, own, strict=True)))


def _moulds(number: int) -> Iterator[_Mould]:
    """Of the spans of one saga, in order."""
    found = list(saga_shapes.saga(number, EVERY_NS))
    trace_ids = list(dict.fromkeys(span.trace_id for _, span, _ in found))
    for service, span, _ in found:
        start, end = span.start_time_unix_nano, span.end_time_unix_nano
        rest, parts = ScopeSpans(spans=[span]).SerializeToString(), []
        own = (struct.pack("<Q", start), struct.pack("<Q", end))
        for value in (span.trace_id, span.span_id, *own, f"order-{number:08d}".encode()):
            part, _, rest = rest.partition(value)
            parts.append(part)
        yield _Mould(service, trace_ids.index(span.trace_id), start - EVERY_NS, (*parts, rest))


def _request(service: str, spans: list[bytes]) -> bytes:
    request = build.traces([], service)
    request.resource_spans[0].scope_spans[0].MergeFromString(b"".join(spans))
    return request.SerializeToString()
