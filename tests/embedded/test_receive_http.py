"""OTLP over HTTP, good and bad."""

import base64
import gzip
import json
import socket
import threading
import zlib
from urllib.parse import urlsplit

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.embedded import build
from tests.embedded.running import PROTOBUF, Client, collector

JSON = {"content-type": "application/json"}


def _spans_of(client: Client, trace_id: bytes) -> int:
    answer = client.get(f"/api/traces/{trace_id.hex()}")
    return len(answer.json()["data"][0]["spans"]) if answer.status_code == 200 else 0


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_protobuf_is_stored_in_every_encoding(client: Client, encoding: str) -> None:
    """A protobuf request is stored, compressed or not, and answered with an empty protobuf."""
    span = build.span()
    pack = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[encoding]
    body = pack(build.traces([span]).SerializeToString())
    answer = client.post("traces", body, {**PROTOBUF, "content-encoding": encoding})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert _spans_of(client, span.trace_id) == 1


def test_json_with_hex_ids_numbers_as_text_and_base64_bytes_is_stored(client: Client) -> None:
    """OTLP/JSON is stored with its ids in hexadecimal, and is answered in JSON."""
    trace_id, span_id = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    span = {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": "eee19b7ec3c1b173",
        "name": "I'm a span",
        "kind": 2,
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": 1544712661000000000,
        "unknownField": {"is": "ignored"},
        "attributes": [
            {"key": "big", "value": {"intValue": "9007199254740993"}},
            {"key": "small", "value": {"intValue": 7}},
            {"key": "raw", "value": {"bytesValue": base64.b64encode(b"\x00\x01").decode()}},
        ],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "json"}}]}
    document = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    answer = client.post("traces", json.dumps(document).encode(), JSON)
    assert (answer.status_code, answer.json()) == (200, {})

    [trace] = client.data(f"/api/traces/{trace_id}")
    [stored] = trace["spans"]
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in stored["tags"]}

    assert stored["spanID"] == span_id
    assert stored["references"][0]["spanID"] == "eee19b7ec3c1b173"
    assert (stored["startTime"], stored["duration"]) == (1544712660000000, 1000000)
    assert tags["big"] == ("int64", "9007199254740993")
    assert tags["small"] == ("int64", 7)
    assert tags["raw"] == ("binary", "AAE=")
    assert tags["span.kind"] == ("string", "server")


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xff\xff", PROTOBUF),
        (b"\x0a\x05abc", PROTOBUF),
        (b"\x0a" * 5000, PROTOBUF),
        (b"not gzip", {**PROTOBUF, "content-encoding": "gzip"}),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], {**PROTOBUF, "content-encoding": "gzip"}),
        (b"{", JSON),
        (b"[]", JSON),
        (b"\xff", JSON),
        (b"[" * 100_000, JSON),
        (b'{"resourceSpans": 7, "resourceMetrics": 7, "resourceLogs": 7}', JSON),
        (b'{"a": NaN}', JSON),
        (b'{"traceId": "xyz"}', JSON),
    ],
    ids=range(12),
)
def test_malformed_requests_get_400_with_a_reason(
    client: Client, signal: str, body: bytes, headers: dict[str, str]
) -> None:
    """A body that is not OTLP is answered 400 with a reason in the request's content type."""
    answer = client.post(signal, body, headers)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == headers["content-type"]
    if headers is JSON:
        assert answer.json()["code"] == 3
        assert len(answer.json()["message"]) > 10
    else:
        assert len(Status.FromString(answer.content).message) > 10


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({}, 415),
        ({**PROTOBUF, "content-encoding": "br"}, 415),
    ],
)
def test_unknown_content_types_and_encodings_get_415(
    client: Client, headers: dict[str, str], status: int
) -> None:
    """A content type or encoding that OTLP does not know is answered 415."""
    assert client.post("traces", b"", headers).status_code == status


def test_other_methods_get_405(client: Client) -> None:
    """OTLP paths take POST only."""
    assert client.http.get(f"{client.otlp_http_url}/v1/traces").status_code == 405


def test_bodies_over_the_limit_get_413_also_when_they_inflate() -> None:
    """A body over the limit is refused, whether as sent or while it is being decompressed."""
    with collector(max_body=100_000) as client:
        plain = client.post("traces", b"\x0a" * 100_001, PROTOBUF)
        bomb = gzip.compress(b"\x0a" * 50_000_000)
        inflated = client.post("traces", bomb, {**PROTOBUF, "content-encoding": "gzip"})

        assert len(bomb) < 100_000
        assert (plain.status_code, inflated.status_code) == (413, 413)
        client.send(build.traces([build.span()]))


def test_chunked_bodies_over_the_limit_get_413() -> None:
    """A body without announced length is refused as soon as it passes the limit."""
    with collector(max_body=100_000) as client:
        chunks = iter([b"\x0a" * 60_000] * 3)
        url = f"{client.otlp_http_url}/v1/traces"

        assert client.http.post(url, content=chunks, headers=PROTOBUF).status_code == 413


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x0a\x85\x80\x80\x02\x12\x80\x80\x80\x02" + b"\x12\x00" * 2**21, PROTOBUF),
        (b"\x0a\x00" * 500_001, PROTOBUF),
        (b"\x8a\x00\x00" * 500_001, PROTOBUF),
        (gzip.compress(b"\x0a\x00" * 2**20), {**PROTOBUF, "content-encoding": "gzip"}),
        (b'{"resourceSpans": [' + b"{}," * 2**20 + b"{}]}", JSON),
    ],
    ids=["nested", "empty", "long keys", "gzip", "json"],
)
def test_bodies_of_half_a_million_empty_items_get_413(
    client: Client, body: bytes, headers: dict[str, str]
) -> None:
    """A body that would take far more memory than its size is refused before it is parsed."""
    answer = client.post("traces", body, headers)

    assert answer.status_code == 413
    assert b"send smaller batches" in answer.content


def test_large_bodies_of_reasonable_spans_are_stored(client: Client) -> None:
    """A body of several megabytes is stored like a small one."""
    span = build.span(attributes={"text": "x" * 5_000_000})
    client.send(build.traces([build.span(), span]))

    assert _spans_of(client, span.trace_id) == 1


def test_invalid_spans_are_counted_and_the_others_stored(client: Client) -> None:
    """Spans with impossible ids or times are rejected one by one with a count and a reason."""
    good = build.span()
    bad = [
        build.span(trace_id=b"short"),
        build.span(trace_id=bytes(16)),
        build.span(span_id=b""),
        build.span(span_id=bytes(8)),
        build.span(parent_span_id=b"four"),
        build.span(end_time_unix_nano=2**64 - 1),
    ]
    answer = client.send(build.traces([*bad[:3], good, *bad[3:]]))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success

    assert partial.rejected_spans == len(bad)
    assert "trace_id" in partial.error_message
    assert _spans_of(client, good.trace_id) == 1


def test_invalid_log_records_are_counted(client: Client) -> None:
    """A log record with an impossible trace id is rejected alone."""
    answer = client.post(
        "logs",
        json.dumps(
            {
                "resourceLogs": [
                    {"scopeLogs": [{"logRecords": [{"traceId": "abcd"}, {"traceId": ""}]}]}
                ]
            }
        ).encode(),
        JSON,
    )

    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"


def test_what_is_stored_survives_bad_requests(client: Client) -> None:
    """After a row of bad requests everything stored before is still there."""
    span = build.span()
    client.send(build.traces([span]))
    for body in (b"\xff", b"\x0a\x7f", b"{}"):
        client.post("traces", body, PROTOBUF)
    client.post("traces", b"\x1f\x8b", {**PROTOBUF, "content-encoding": "gzip"})

    assert _spans_of(client, span.trace_id) == 1


def test_a_sender_that_hangs_up_midway_changes_nothing(client: Client) -> None:
    """A connection that breaks within a body stores nothing and disturbs no one."""
    address = urlsplit(client.otlp_http_url)
    with socket.create_connection((address.hostname, address.port)) as sock:
        head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n"
        sock.sendall(head + b"content-type: application/x-protobuf\r\n\r\n\x0a")
    span = build.span()
    client.send(build.traces([span]))

    assert client.data("/api/services") == ["orders"]


def test_many_senders_and_readers_at_once_lose_nothing(client: Client) -> None:
    """Requests of several senders are all stored while others keep reading."""
    trace_id = bytes(range(16))
    sent = threading.Barrier(5)
    failures: list[object] = []

    def work(number: int) -> None:
        with Client(client.otlp_grpc_url, client.otlp_http_url, client.query_url) as own:
            sent.wait(10)
            for _ in range(20):
                try:
                    own.send(build.traces([build.span(trace_id=trace_id)], f"service-{number}"))
                    own.data("/api/traces", service=f"service-{number}")
                except Exception as error:  # shown by the assertion below
                    failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert _spans_of(client, trace_id) == 100
