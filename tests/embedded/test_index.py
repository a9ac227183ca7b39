"""What is stored and indexed of a request, whatever is in it."""

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from otel_kit.embedded import blocks
from otel_kit.embedded.batches import TraceBatch
from otel_kit.embedded.config import MAX_NAME
from otel_kit.embedded.decode import index_traces
from tests.embedded import build
from tests.embedded.running import collector

_MANY = 1_203
"""More than any statement of `bulk` takes at once, and no multiple of it."""
_values = st.text(max_size=5) | st.integers(-5, 5) | st.booleans() | st.lists(st.text(max_size=3))
_attributes = st.dictionaries(
    st.sampled_from(["saga.id", "saga.name", "saga.step", "other", ""]), _values, max_size=4
)


@st.composite
def _spans(draw: st.DrawFn) -> Span:
    span = build.span(
        draw(st.text(max_size=5)),
        draw(st.sampled_from([b"a" * 16, b"b" * 16])),
        parent_span_id=draw(st.sampled_from([b"", b"p" * 8])),
        kind=draw(st.integers(0, 7)),
        status=Status(
            code=draw(st.sampled_from([Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR]))
        ),
        trace_state=draw(st.sampled_from(["", "k=v"])),
        attributes=draw(_attributes),
    )
    for _ in range(draw(st.integers(0, 2))):
        span.events.add(name="saga.finished", attributes=build.pairs(draw(_attributes)))
        span.links.add(trace_id=b"l" * 16, attributes=build.pairs(draw(_attributes)))
    span.MergeFromString(draw(st.sampled_from([b"", b"\xfa\x3f\x02no"])))  # a field of tomorrow
    return span


@given(spans=st.lists(_spans(), max_size=4))
@settings(max_examples=200, deadline=None)
def test_spans_are_stored_as_they_came_and_counted_by_trace(spans: list[Span]) -> None:
    """Each span is in a block byte for byte, and traces and sagas are what the spans say."""
    batch = _indexed(spans)
    assert sorted(_stored(batch.blocks)) == sorted(_as_bytes(span) for span in spans)
    assert {key: (trace.spans, trace.errors) for key, trace in batch.traces.items()} == {
        key: (len(own), sum(span.status.code == Status.STATUS_CODE_ERROR for span in own))
        for key in {span.trace_id for span in spans}
        if (own := [span for span in spans if span.trace_id == key])
    }
    assert set(batch.sagas) == {saga for span in spans for saga in _sagas(span)}


def _indexed(spans: list[Span]) -> TraceBatch:
    return index_traces(build.traces(spans).SerializeToString())


def _stored(found: list[Any]) -> list[bytes]:
    return [
        _as_bytes(span)
        for block in found
        for group in TracesData.FromString(blocks.decompress(block.data)).resource_spans
        for scope_spans in group.scope_spans
        for span in scope_spans.spans
    ]


def _as_bytes(span: Span) -> bytes:
    return span.SerializeToString(deterministic=True)


def _sagas(span: Span) -> list[str]:
    named = [span.attributes, *(event.attributes for event in span.events)]
    found = [pair.value for pairs in named for pair in pairs if pair.key == "saga.id"]
    texts = [_text(value) for value in found]
    return [text for text in texts if 0 < len(text) <= MAX_NAME]


def _text(value: Any) -> str:
    match value.WhichOneof("value"):
        case "array_value":
            return str([item.string_value for item in value.array_value.values])
        case field:
            return str(getattr(value, field))


def test_a_saga_id_that_is_too_long_is_not_indexed() -> None:
    """One character too many, and the span is kept but stands in no saga's list."""
    fits, long = "x" * MAX_NAME, "y" * (MAX_NAME + 1)
    spans = [build.span(attributes={"saga.id": one}) for one in (fits, long)]
    batch = _indexed(spans)
    assert (list(batch.sagas), len(_stored(batch.blocks))) == ([fits], 2)


def test_of_equal_attributes_the_last_one_counts() -> None:
    """A span that names two sagas belongs to the one it names last."""
    span = build.span(attributes={"saga.id": "first"})
    span.attributes.extend(build.pairs({"saga.id": "second"}))
    assert list(_indexed([span]).sagas) == ["second"]


def test_a_request_of_many_traces_and_sagas_is_indexed_whole() -> None:
    """However many traces and sagas a request has, each is found with the other."""
    ids = [os.urandom(16) for _ in range(_MANY)]
    spans = [build.span("work", one, attributes={"saga.id": one.hex()}) for one in ids]
    with collector() as client:
        client.send(build.traces(spans, "orders"))
        first = client.get("/api/sagas", service="orders", limit=1000).json()
        rest = client.get("/api/sagas", service="orders", limit=1000, cursor=first["next"]).json()
        rows = first["data"] + rest["data"]
        assert {row["id"]: row["trace_ids"] for row in rows} == {x.hex(): [x.hex()] for x in ids}
        assert client.get("/healthz").json()["traces"] == _MANY


@pytest.mark.parametrize("limit", ["BLOCK_BYTES", "BLOCK_SPANS"])
@given(spans=st.lists(_spans(), max_size=6))
@settings(max_examples=50, deadline=None)
def test_a_large_request_is_split_without_loss(limit: str, spans: list[Span]) -> None:
    """However small a block may be, each span is in one byte for byte, beside its own scope."""
    one = build.traces(spans[:3], scope="first")
    one.MergeFrom(build.traces(spans[3:], "billing", scope="second"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otel_kit.embedded.decode.BLOCK_BYTES", 0)
        patch.setattr(f"otel_kit.embedded.span_parts.{limit}", 1)
        batch = index_traces(one.SerializeToString())
    assert len(batch.blocks) == len(spans)
    assert sorted(_stored(batch.blocks)) == sorted(_as_bytes(span) for span in spans)
    assert {
        (scope_spans.scope.name, tuple(block.traces))
        for block in batch.blocks
        for group in TracesData.FromString(blocks.decompress(block.data)).resource_spans
        for scope_spans in group.scope_spans
    } <= {("first", ("orders",)), ("second", ("billing",))}


def test_a_faulty_span_is_left_out_and_its_neighbours_are_stored() -> None:
    """Of a request with one span that is refused, the others are kept byte for byte."""
    good = [build.span(), build.span()]
    faulty = build.span(trace_id=b"short")
    batch = _indexed([good[0], faulty, good[1]])
    assert sorted(_stored(batch.blocks)) == sorted(_as_bytes(span) for span in good)
    assert (batch.rejected.count, "trace_id" in batch.rejected.reason) == (1, True)


def test_services_past_the_limit_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several services that are not indexed may share a request and a trace."""
    monkeypatch.setattr("otel_kit.embedded.ingest.MAX_SERVICES", 1)
    trace_id = os.urandom(16)
    request = build.traces([build.span(trace_id=trace_id)], "first")
    for name in ("second", "third"):
        request.MergeFrom(build.traces([build.span(trace_id=trace_id)], name))
    with collector() as client:
        client.send(request)
        [trace] = client.data(f"/api/traces/{trace_id.hex()}")
        assert len(trace["spans"]) == 3
        assert client.data("/api/services") == ["first"]


def test_a_saga_is_named_by_any_of_its_spans() -> None:
    """The name is found if only one span has it, and is the first of several."""
    about = {"saga.id": "order-1"}
    named = [{**about, "saga.name": name} for name in ("first", "second")]
    spans = [build.span(attributes=attributes) for attributes in (about, *named)]
    assert _indexed(spans).sagas["order-1"].name == "first"
