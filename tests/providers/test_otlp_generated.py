"""The kit's encoder of spans beside OpenTelemetry's own, on generated spans: the same bytes."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from otel_kit._providers.otlp_encoding import SpanEncoder
from tests.providers.encoders import same, span

_text = st.text(max_size=300)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    _text,
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.binary(max_size=300),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(_text, inner, max_size=4),
    ),
    max_leaves=8,
)
_plain = st.dictionaries(st.sampled_from(["http.route", "code", "id"]) | _text, _values, max_size=6)
_attributes = st.none() | _plain | st.builds(BoundedAttributes, st.integers(0, 8), _plain)
_trace_states = st.sampled_from([(), (("a", "1"),), (("otelkit", "c:web"), ("b", "x=y"))])
_contexts = st.builds(
    SpanContext,
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    _trace_states.map(TraceState),
)
_times = st.integers(0, 2**64 - 1)
_events = st.builds(Event, _text, _attributes, _times)
_links = st.builds(Link, _contexts, _attributes)
_resources = st.builds(
    Resource, st.dictionaries(_text.filter(bool), _text | st.booleans(), max_size=3), _text
)
_scopes = st.none() | st.builds(
    InstrumentationScope,
    _text,
    st.none() | _text,
    st.none() | _text,
    st.none() | st.dictionaries(_text.filter(bool), _text, max_size=2),
)
_spans = st.builds(
    ReadableSpan,
    _text,
    _contexts,
    st.none() | _contexts,
    _resources,
    _attributes,
    st.lists(_events, max_size=3),
    st.lists(_links, max_size=3),
    st.sampled_from(SpanKind),
    status=st.builds(Status, st.just(StatusCode.ERROR), _text)
    | st.sampled_from(StatusCode).map(Status),
    start_time=st.none() | _times,
    end_time=st.none() | _times,
    instrumentation_scope=_scopes,
)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Both say what they drop, with a traceback."""
    caplog.set_level(logging.CRITICAL)


_encoder = SpanEncoder()


@settings(deadline=None, max_examples=300)
@given(st.lists(_spans, max_size=5))
def test_generated_spans(spans: list[ReadableSpan]) -> None:
    """Whatever a batch of spans holds, its bytes are the official ones, at first and again."""
    official = same(*spans)
    again = same(*spans, encoder=_encoder)
    assert again == official
    assert ExportTraceServiceRequest.FromString(again) == encode_spans(spans)


@settings(deadline=None)
@given(st.data())
def test_grouping(data: st.DataObject) -> None:
    """Spans are grouped by equal resources and scopes, in the order in which these appear."""
    resources = [Resource({"a": each}, url) for each in (1, True, "1") for url in ("", "https://x")]
    resources += [Resource({"a": 1})]  # equal to the first, but another object
    scopes = [None, *(InstrumentationScope(name, "1") for name in "aab")]
    spans = data.draw(
        st.lists(
            st.builds(
                lambda name, resource, scope: span(
                    name, resource=resource, instrumentation_scope=scope
                ),
                st.sampled_from("abc"),
                st.sampled_from(resources),
                st.sampled_from(scopes),
            )
        )
    )
    same(*spans)
