"""The portable bundle: written, read back, taken by a real OTLP receiver."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.explorer.model import bundle, otlp_read, otlp_write
from otel_kit.explorer.model.bundle import Bundle, MalformedBundle
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.summary import summarise
from otel_kit.explorer.source import EmbeddedSource
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    EventRecord,
    LinkRecord,
    LogRecord,
    PropagationRecord,
    Quantiles,
    QueueRecord,
    SpanRecord,
)
from tests.embedded.running import collector
from tests.explorer.building import at, order


def _bundle() -> Bundle:
    made = order()
    made.started("charge-payment", 61, "billing")
    detail = made.detail()
    row = summarise("order-1", detail.traces, detail.logs, at(900))
    around = Surroundings(
        edges=[EdgeRecord("a", "b", "http", "server", 3, {"timeout": 1}, Quantiles(0.1, 0.2, 3))],
        queues=[QueueRecord("kafka", "q", "g", None, 4.0, 0.5, 7, Quantiles(0.1))],
        breakers=[BreakerRecord("bank", "bank", "billing", "open", 1.5, 2.0, 3, 4)],
        propagation=[PropagationRecord("a", "b", "http", "", {"missing": 2}, True, 5, 6, "why")],
    )
    return Bundle(replace(detail, saga=row), around, "completed", "Completed after 1 s.", at(900))


def test_a_bundle_is_read_back_to_an_equal_saga() -> None:
    """Traces, logs, rows and verdict survive the file."""
    assert bundle.read(bundle.write(_bundle())) == _bundle()


def test_rows_that_a_source_could_not_tell_stay_untold() -> None:
    """None is not an empty list."""
    made = _bundle()
    bare = Bundle(made.detail, Surroundings(queues=[]), made.state, made.sentence, 1)

    assert bundle.read(bundle.write(bare)) == bare


_scalars = st.one_of(
    st.text(max_size=5),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=5),
    st.none(),
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
_attributes = st.dictionaries(st.text(max_size=5), _values, max_size=3)


@settings(max_examples=100, deadline=None)
@given(_attributes, _values, st.text(max_size=5))
def test_any_attributes_survive(attributes: Any, body: Any, text: str) -> None:
    """Every type of value that OTLP knows comes back as it was, in spans, events, links, logs."""
    resource = {"service.name": "orders", "more": body}
    span = SpanRecord(
        "a" * 32, "b" * 16, None, text, "client", "orders", 1, 2, "ok", text, attributes, resource,
        text, text, text, [EventRecord(3, text, attributes)],
        [LinkRecord("c" * 32, "d" * 16, attributes)],
    )  # fmt: skip
    log = LogRecord(5, "orders", text, text, body, None, None, attributes, resource, text)

    assert list(otlp_read.read_spans(_through_json(otlp_write.write_spans([span])))) == [span]
    assert list(otlp_read.read_logs(_through_json(otlp_write.write_logs([log])))) == [log]


def _through_json(document: Any) -> Any:
    return json.loads(json.dumps(document, allow_nan=False))


def test_any_otlp_receiver_takes_a_bundles_traces_and_logs() -> None:
    """The saga of a bundle, sent to a collector, is the saga that comes back out of it."""
    document = json.loads(bundle.write(_bundle()))
    with collector() as client:
        kind = {"content-type": "application/json"}
        for signal in ("traces", "logs"):
            sent = client.post(signal, json.dumps(document[signal]).encode(), kind)
            assert sent.status_code == 200, sent.text
        source = EmbeddedSource(client.query_url)
        found = source.saga("order-1")
        source.close()

    assert found is not None
    [trace], [given] = found.traces, _bundle().detail.traces
    assert sorted(trace.spans, key=_id) == sorted(given.spans, key=_id)
    assert found.logs == _bundle().detail.logs


def _id(span: SpanRecord) -> str:
    return span.span_id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: [], "not a saga bundle"),
        (lambda d: d | {"format": "other"}, "not a saga bundle"),
        (lambda d: d | {"version": 99}, "version 99, this explorer reads 1"),
        (lambda d: d | {"traces": 5}, "damaged"),
        (lambda d: d | {"saga": d["saga"] | {"errors": "many"}}, "errors must be int"),
        (lambda d: d | {"saga": d["saga"] | {"services": [1]}}, "services must be a list of texts"),
        (lambda d: d | {"verdict": {"state": "fine", "sentence": ""}}, "'fine' is no state"),
        (lambda d: d | {"edges": [{"client": "a"}]}, "damaged"),
        (lambda d: d | {"queues": [{"wait": 5}]}, "damaged"),
    ],
)
def test_a_damaged_bundle_is_refused_in_a_sentence(change: Any, reason: str) -> None:
    """A file from anyone never crashes the explorer."""
    document = json.loads(bundle.write(_bundle()))
    with pytest.raises(MalformedBundle, match=reason):
        bundle.read(json.dumps(change(document)).encode())


def test_what_is_not_json_is_refused() -> None:
    """Also when it is deep, or has numbers that JSON has not."""
    for data in (b"", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'):
        with pytest.raises(MalformedBundle, match="not JSON"):
            bundle.read(data)


def test_attribute_values_are_not_read_to_any_depth() -> None:
    """A value nested beyond 32 levels is refused."""
    value: Any = {"stringValue": "x"}
    for _ in range(50):
        value = {"arrayValue": {"values": [value]}}
    document = otlp_write.write_spans([])
    document["resourceSpans"] = [{"resource": {"attributes": [{"key": "a", "value": value}]}}]

    with pytest.raises(otlp_read.Malformed, match="nested too deeply"):
        list(otlp_read.read_spans(document))
