"""Whatever bytes come in, decoding gives a batch or raises its one documented error."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.embedded.decode_json import parse_json
from otel_kit.embedded.inflate import inflate
from otel_kit.embedded.intake import SIGNALS
from otel_kit.embedded.problems import Malformed, Refused
from tests.embedded import build

_SPAN = build.traces([build.span(attributes={"saga.id": "a", "n": 1.5, "l": [1, "b"]})])
_METRICS = build.metrics([build.counter("c", 1), build.histogram("h", [1.0], [1, 1])])
_VALID = [
    message.SerializeToString()
    for message in (_SPAN, _METRICS, build.logs([build.log(attributes={"saga.id": "a"})]))
]
_KEYS = st.sampled_from(
    ["resourceSpans", "scopeSpans", "spans", "traceId", "attributes", "key", "value", "kind",
     "resourceLogs", "scopeLogs", "logRecords", "body", "intValue", "bytesValue", "resourceMetrics",
     "scopeMetrics", "metrics", "histogram", "dataPoints", "bucketCounts", "timeUnixNano"]
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A valid request with some bytes changed, cut off or repeated."""
    data = bytearray(draw(st.sampled_from(_VALID)))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] * draw(st.integers(1, 2)))


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.path)
@given(body=st.binary(max_size=300) | _damaged())
@settings(max_examples=200, deadline=None)
def test_any_protobuf_bytes_decode_or_are_malformed(signal: Any, body: bytes) -> None:
    """Random and damaged bytes either decode or raise Malformed."""
    with contextlib.suppress(Malformed):
        signal.decode(body)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.path)
@given(document=_JSON)
@settings(max_examples=200, deadline=None)
def test_any_json_decodes_or_is_malformed(signal: Any, document: Any) -> None:
    """Random JSON made of OTLP's own words either decodes or raises Malformed."""
    with contextlib.suppress(Malformed):
        signal.decode(parse_json(signal.request, json.dumps(document).encode()).SerializeToString())


@given(body=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_as_json_decodes_or_is_malformed(body: bytes) -> None:
    """Random bytes sent as JSON either decode or raise Malformed."""
    with contextlib.suppress(Malformed):
        parse_json(SIGNALS[0].request, body)


@given(body=st.binary(max_size=200), encoding=st.sampled_from(["gzip", "deflate", "", "x"]))
@settings(max_examples=100, deadline=None)
def test_any_bytes_inflate_or_are_refused(body: bytes, encoding: str) -> None:
    """Random bytes in any encoding stay within the limit or are refused."""
    with contextlib.suppress(Refused):
        assert len(inflate(body, encoding, 1_000)) <= 1_000
