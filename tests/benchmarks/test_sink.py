"""The sink counts the spans of every subject's protocol."""

import gzip
import json

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from tests.benchmarks import msgpack, sink

_EVERY_TYPE = [
    b"\x07", b"\xff", b"\xc0", b"\xc2", b"\xc3",
    b"\xca" + bytes(4), b"\xcb" + bytes(8),
    b"\xcc\x01", b"\xcd\x01\x00", b"\xce" + bytes(4), b"\xcf" + bytes(8),
    b"\xd0\x80", b"\xd1\x80\x00", b"\xd2" + bytes(4), b"\xd3" + bytes(8),
    b"\xa3web", b"\xd9\x03web", b"\xda\x00\x03web", b"\xdb\x00\x00\x00\x03web",
    b"\xc4\x02\x00\x01", b"\xc5\x00\x01\x00", b"\xc6\x00\x00\x00\x01\x00",
    b"\xd4\x01" + bytes(1), b"\xd5\x01" + bytes(2), b"\xd6\x01" + bytes(4),
    b"\xd7\x01" + bytes(8), b"\xd8\x01" + bytes(16),
    b"\xc7\x02\x01\x00\x00", b"\xc8\x00\x01\x01\x00", b"\xc9\x00\x00\x00\x01\x01\x00",
    b"\x90", b"\x92\x01\xa1a", b"\xdc\x00\x01\x01", b"\xdd\x00\x00\x00\x01\x91\x01",
    b"\x80", b"\x81\xa1a\x92\x01\x02", b"\xde\x00\x01\xa1a\x01", b"\xdf\x00\x00\x00\x01\x01\x01",
]  # fmt: skip
_SPAN = b"\x82\xa4name\xa3GET\xa4meta\x81\xa1a\xa1b"


@pytest.mark.parametrize("value", _EVERY_TYPE, ids=bytes.hex)
def test_a_value_of_messagepack_ends_where_it_ends(value: bytes) -> None:
    """Whatever its type, and wherever it stands."""
    assert msgpack.skip(b"\xc0" + value + b"\x01", 1) == 1 + len(value)


def test_something_else_than_an_array_is_refused() -> None:
    """A body that is no list of traces must not count as none."""
    with pytest.raises(ValueError, match="no array"):
        msgpack.array(b"\x81\x01\x01", 0)


def test_spans_of_traces_are_counted() -> None:
    """/v0.4/traces: a list of traces, each a list of maps."""
    body = b"\x92" + b"\x92" + _SPAN * 2 + b"\xdc\x00\x01" + _SPAN

    assert sink.spans("/v0.4/traces", body) == 3


def test_spans_after_a_table_of_strings_are_counted() -> None:
    """/v0.5/traces: the table, then traces of spans that are lists."""
    span = b"\x93\x00\x01\x80"
    body = b"\x92" + b"\x92\xa0\xa3web" + b"\x92" + b"\x91" + span + b"\x92" + span * 2

    assert sink.spans("/v0.5/traces", body) == 3


def test_spans_of_otlp_are_counted() -> None:
    """Over all resources and scopes."""
    spans: list[ReadableSpan] = []
    provider = TracerProvider()
    for scope in ("one", "two"):
        span = provider.get_tracer(scope).start_span("GET")
        span.end()
        assert isinstance(span, ReadableSpan)
        spans.append(span)

    assert sink.spans("/v1/traces", encode_spans(spans).SerializeToString()) == 2


def test_spans_of_a_transaction_are_counted() -> None:
    """With itself; other items of the envelope, with a length or without, are none."""
    transaction = json.dumps({"spans": [{}, {}]}).encode()
    item = json.dumps({"type": "transaction", "length": len(transaction)}).encode()
    parts = [b"{}", b'{"type":"event","length":2}', b"{}", item, transaction]

    assert sink.spans("/api/1/envelope/", b"\n".join(parts) + b"\n") == 3
    assert sink.spans("/api/1/envelope/", b'{}\n{"type":"client_report"}\n{}') == 0


async def test_what_arrived_can_be_asked() -> None:
    """Compressed or not; metrics do not count."""
    body = b"\x91\x91" + _SPAN
    transport = httpx.ASGITransport(sink.Sink())
    async with httpx.AsyncClient(transport=transport, base_url="http://sink") as client:
        await client.put("/v0.4/traces", content=body)
        packed = {"content-encoding": "gzip"}
        await client.put("/v0.4/traces", content=gzip.compress(body), headers=packed)
        await client.post("/v1/metrics", content=b"anything")

        assert (await client.get("/delivered")).text == "2"
