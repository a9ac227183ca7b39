"""The kit's encoder of spans beside OpenTelemetry's own, on odd cases by name."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from otel_kit._providers.otlp_encoding import SpanEncoder
from tests.providers.encoders import CONTEXT, RESOURCE, same, span


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Both say what they drop, with a traceback."""
    caplog.set_level(logging.CRITICAL)


class Colour(StrEnum):
    """A string that is more than a string."""

    RED = "red"


class Number(IntEnum):
    """A number that is more than a number."""

    ONE = 1


class Opaque(Enum):
    """What no encoder knows."""

    THING = object()


def _nested(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, 1, -1, 127, 128, 16383, 16384, 2**63 - 1, -(2**63)),
        *(0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324),
        *("", "a", "ü" * 64, "☃\x00\U0001f600", "x" * 1_000_000, b"", b"\x00\xff", b"x" * 100_000),
        *((), [], (1, "a", None, 2.5, b"b", True), ((1, 2), ("a",), ()), [None, None]),
        *({}, {"a": {"b": [1, {"c": None}]}, "": ""}, {1: 2, None: 3}),
        *(Colour.RED, Number.ONE, bytearray(b"ab"), range(3), MappingProxyType({"a": 1})),
        *(BoundedAttributes(attributes={"a": 1}), _nested(16), _nested(17), _nested(30)),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_values(value: object) -> None:
    """Every type of value, its limits, and what only the official encoder takes."""
    encoder = SpanEncoder()
    for _ in range(2):
        encoded = same(span(attributes={"before": 1, "k": value, "after": "x"}), encoder=encoder)
    attributes = _only(encoded).attributes
    assert [each.key for each in attributes] == ["before", "k", "after"]


@pytest.mark.parametrize(
    "value",
    ["\ud800", 2**63, -(2**63) - 1, 2**200, {"a": "\udfff"}, ["\ud800"], Opaque.THING, _nested(90)],
    ids=lambda value: ascii(value)[:30],
)
def test_values_that_cannot_be_encoded(value: object) -> None:
    """An attribute that the official encoder leaves out is left out, and the others are kept."""
    encoded = same(span(attributes={"before": 1, "k": value, "after": "x"}))
    assert [each.key for each in _only(encoded).attributes] == ["before", "after"]


@pytest.mark.parametrize("key", ["", "a\x00b", "ü", "\ud800", "k" * 5000, Colour.RED, 7, True])
def test_keys(key: Any) -> None:
    """Every key, or what stands in its place."""
    same(span(attributes={"before": 1, key: "x", "after": 2}))


@pytest.mark.parametrize(
    "parts",
    [
        {"name": "\ud800"},
        {"name": b"\xff"},
        {"context": None},
        {"context": SpanContext(2**128, 1, False)},
        {"kind": 1},
        {"start_time": -1},
        {"end_time": 2**64},
        {"status": Status(StatusCode.ERROR, "\ud800")},
        {"events": [Event("\ud800", {}, 1)]},
        {"attributes": 7},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_spans_that_cannot_be_encoded(parts: Mapping[str, Any]) -> None:
    """Where the official encoder gives up on the batch, so does the kit's, and as it does."""
    spans = [span(), span(**parts)]
    with pytest.raises(Exception) as official:  # noqa: PT011 - whatever it is
        encode_spans(spans).SerializePartialToString()
    with pytest.raises(official.type) as ours:
        SpanEncoder().encode(spans)
    assert str(ours.value) == str(official.value)


@pytest.mark.parametrize(
    "parts",
    [
        {"name": ""},
        {"name": "ü" * 500},
        {"start_time": None, "end_time": None},
        {"start_time": 0, "end_time": 0},
        {"status": None},
        {"events": [Event("e", None, 0), Event("", {"a": [1]}, 2)]},
        {"links": [Link(CONTEXT), Link(CONTEXT, BoundedAttributes(1, {"a": 1, "b": 2}))]},
        {"parent": SpanContext(1, 0, True)},
        {"attributes": MappingProxyType({"a": 1})},
        {"instrumentation_scope": InstrumentationScope("s", attributes={"a": (1, 2)})},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_odd_parts(parts: Mapping[str, Any]) -> None:
    """Parts that are empty, absent or long."""
    same(span(**parts))


def test_equal_values_of_other_types() -> None:
    """1, True, 1.0 and "1" under one key stay what they are."""
    encoder = SpanEncoder()
    for value in (1, True, 1.0, "1", b"1", 0, False, 0.0, -0.0):
        same(span(attributes={"k": value}), encoder=encoder)


def test_many_values() -> None:
    """What is remembered is bounded, and what is not remembered is encoded all the same."""
    encoder = SpanEncoder()
    for n in range(1500):
        spans = [
            span(f"name {n}", attributes={f"key {n}": n, "id": f"{n}"}) for n in range(n, n + 7)
        ]
        same(*spans, encoder=encoder)
    assert max(map(len, (encoder._keys, encoder._names, encoder._keys["id"]))) <= 1000


def test_subclasses() -> None:
    """A span of another class is read as that class presents it."""

    class Renamed(ReadableSpan):
        @property
        def events(self) -> Sequence[Event]:
            return [Event("shown", {}, 3)]

    shown = Renamed("span", CONTEXT, resource=RESOURCE, start_time=1, end_time=2)
    assert _only(same(shown)).events[0].name == "shown"


def test_no_spans() -> None:
    """Nothing is nothing."""
    assert same() == b""


def test_spans_of_the_sdk() -> None:
    """Spans as the SDK makes them: limits, dropped parts, exceptions, links, remote parents."""
    kept = InMemorySpanExporter()
    limits = SpanLimits(max_attributes=2, max_events=1, max_links=1, max_attribute_length=5)
    provider = TracerProvider(resource=RESOURCE, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("t", "1", "https://schema", {"scope": "x"})
    remote = SpanContext(5, 6, True, TraceFlags(1), TraceState([("a", "b")]))
    links = [Link(remote, {"a": 1}), Link(CONTEXT)]
    context = set_span_in_context(NonRecordingSpan(remote))
    attributes = {"a": "longer", "b": [1, 2], "c": {"d": None}}
    outer = tracer.start_span("outer", context, SpanKind.SERVER, attributes, links)
    outer.add_event("one", {"a": 1, "b": 2, "c": 3})
    outer.record_exception(ValueError("no"))
    outer.set_status(StatusCode.ERROR, "no")
    tracer.start_span("inner", set_span_in_context(outer), SpanKind.CLIENT).end()
    outer.end()
    inner, last = _spans_of(same(*kept.get_finished_spans()))
    assert (inner.parent_span_id, inner.flags, last.flags) == (last.span_id, 0x100, 0x300)
    dropped = last.dropped_attributes_count, last.dropped_events_count, last.dropped_links_count
    assert dropped == (1, 1, 1)
    assert last.trace_state == "a=b"


def _spans_of(encoded: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(encoded)
    return [
        each
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for each in scope.spans
    ]


def _only(encoded: bytes) -> Any:
    (found,) = _spans_of(encoded)
    return found
