"""Jaeger's query API: shapes, filters and errors."""

import json
import time
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.embedded import build
from tests.embedded.running import Client, collector

TRACE = bytes(range(1, 17))
START = 1_700_000_000 * build.SECOND
ENVELOPE = {"total": 0, "limit": 0, "offset": 0, "errors": None}


def _order() -> dict[str, Span]:
    """Three spans: web calls orders, and orders fails with everything a span can have."""
    times = {"start_time_unix_nano": START, "end_time_unix_nano": START + 2_500_000}
    web = build.span("GET /", TRACE, kind=Span.SPAN_KIND_SERVER, **times)
    call = build.span("call", TRACE, kind=3, parent_span_id=web.span_id, **times)
    attributes = {
        "text": "a",
        "yes": True,
        "int": 3,
        "float": 1.5,
        "raw": b"\x01",
        "list": [1, "b"],
    }
    failed = Status(code=Status.STATUS_CODE_ERROR, message="no stock")
    orders = build.span(
        "Reserve",
        TRACE,
        kind=Span.SPAN_KIND_SERVER,
        parent_span_id=call.span_id,
        trace_state="a=b",
        status=failed,
        attributes=attributes,
        events=[Span.Event(name="boom", time_unix_nano=START, attributes=build.pairs({"n": 1}))],
        links=[Span.Link(trace_id=bytes(15) + b"\x09", span_id=bytes(7) + b"\x08")],
        **times,
    )
    return {"web": web, "call": call, "orders": orders}


@pytest.fixture
def order(client: Client) -> dict[str, Span]:
    """The three spans, sent."""
    spans = _order()
    client.send(build.traces([spans["web"], spans["call"]], "web"))
    client.send(build.traces([spans["orders"]], "orders"))
    return spans


def _tag(key: str, kind: str, value: object) -> dict[str, object]:
    return {"key": key, "type": kind, "value": value}


def test_a_trace_has_jaegers_shape(client: Client, order: dict[str, Span]) -> None:
    """A trace by id is what Jaeger makes of it: references, typed tags, logs, processes."""
    answer = client.get(f"/api/traces/{TRACE.hex()}").json()
    [trace] = answer.pop("data")
    span = next(s for s in trace["spans"] if s["operationName"] == "Reserve")
    process_id = span.pop("processID")

    assert answer == ENVELOPE
    assert trace["traceID"] == TRACE.hex()
    assert trace["processes"][process_id] == {"serviceName": "orders", "tags": []}
    assert {p["serviceName"] for p in trace["processes"].values()} == {"web", "orders"}
    assert span == {
        "traceID": TRACE.hex(),
        "spanID": order["orders"].span_id.hex(),
        "operationName": "Reserve",
        "references": [
            {
                "refType": "CHILD_OF",
                "traceID": TRACE.hex(),
                "spanID": order["call"].span_id.hex(),
            },
            {"refType": "FOLLOWS_FROM", "traceID": "0" * 31 + "9", "spanID": "0" * 15 + "8"},
        ],
        "startTime": START // 1000,
        "duration": 2500,
        "tags": [
            _tag("otel.scope.name", "string", "tests"),
            _tag("text", "string", "a"),
            _tag("yes", "bool", True),
            _tag("int", "int64", 3),
            _tag("float", "float64", 1.5),
            _tag("raw", "binary", "AQ=="),
            _tag("list", "string", '[1,"b"]'),
            _tag("span.kind", "string", "server"),
            _tag("otel.status_code", "string", "ERROR"),
            _tag("error", "bool", True),
            _tag("otel.status_description", "string", "no stock"),
            _tag("w3c.tracestate", "string", "a=b"),
        ],
        "logs": [
            {
                "timestamp": START // 1000,
                "fields": [_tag("event", "string", "boom"), _tag("n", "int64", 1)],
            }
        ],
        "warnings": None,
    }


def test_services_and_operations(client: Client, order: dict[str, Span]) -> None:
    """Services and operations, with and without kind, are listed in Jaeger's envelope."""
    assert client.get("/api/services").json() == {**ENVELOPE, "data": ["orders", "web"], "total": 2}
    assert client.data("/api/services/web/operations") == ["GET /", "call"]
    assert client.data("/api/operations", service="web", spanKind="client") == [
        {"name": "call", "spanKind": "client"}
    ]


def test_dependencies_count_crossings_between_services(
    client: Client, order: dict[str, Span]
) -> None:
    """A child span of another service counts as one call between the two, within the time asked."""
    link = {"parent": "web", "child": "orders", "callCount": 1}
    at = START // 10**6

    assert client.data("/api/dependencies", endTs=at + 1000, lookback=2000) == [link]
    assert client.data("/api/dependencies", endTs=at - 1000, lookback=2000) == []


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"service": "orders"}, True),
        ({"service": "absent"}, False),
        ({}, True),
        ({"service": "web", "operation": "call"}, True),
        ({"service": "web", "operation": "Reserve"}, False),
        ({"service": "orders", "tags": json.dumps({"error": "true", "text": "a"})}, True),
        ({"service": "orders", "tags": json.dumps({"error": "true", "text": "b"})}, False),
        ({"service": "web", "tags": json.dumps({"error": "true"})}, False),
        ({"service": "orders", "tag": "int:3"}, True),
        ({"service": "orders", "tag": ["int:3", "float:1.5"]}, True),
        ({"service": "orders", "tag": "int:4"}, False),
        ({"service": "orders", "minDuration": "2ms", "maxDuration": "3ms"}, True),
        ({"service": "orders", "minDuration": "2.6ms"}, False),
        ({"service": "orders", "maxDuration": "1500us"}, False),
        ({"service": "web", "start": START // 1000 - 1, "end": START // 1000 + 9999}, True),
        ({"service": "web", "start": START // 1000 + 9999}, False),
        ({"service": "web", "end": START // 1000 - 9999}, False),
        ({"service": "web", "lookback": "1h"}, False),
    ],
)
def test_search_filters(
    client: Client, order: dict[str, Span], params: dict[str, Any], found: bool
) -> None:
    """Service, operation, tags, durations and times each narrow a search."""
    assert len(client.data("/api/traces", **params)) == int(found)


def test_search_by_several_trace_ids_names_the_missing(
    client: Client, order: dict[str, Span]
) -> None:
    """With traceID parameters those traces are answered, and each missing one is an error."""
    missing = "0" * 31 + "1"
    answer = client.get("/api/traces", traceID=[TRACE.hex(), missing]).json()

    assert [trace["traceID"] for trace in answer["data"]] == [TRACE.hex()]
    assert answer["errors"] == [{"msg": "trace not found", "traceID": missing}]


def test_search_by_saga_id_finds_the_trace_by_any_of_its_services(client: Client) -> None:
    """The tag saga.id finds the whole trace, whichever of its spans has it."""
    web = build.span(trace_id=TRACE)
    orders = build.span(trace_id=TRACE, attributes={"saga.id": "order-1"})
    client.send(build.traces([web], "web"))
    client.send(build.traces([orders, build.span()], "orders"))
    tags = json.dumps({"saga.id": "order-1"})

    [trace] = client.data("/api/traces", service="web", tags=tags)
    assert len(trace["spans"]) == 2
    assert client.data("/api/traces", service="absent", tags=tags) == []
    assert client.data("/api/traces", tags=json.dumps({"saga.id": "order-2"})) == []


def test_search_answers_the_newest_up_to_the_limit(client: Client) -> None:
    """A search returns the newest traces first and no more than asked for."""
    for name in ("first", "second", "third"):
        client.send(build.traces([build.span(name)]))

    found = client.data("/api/traces", service="orders", limit=2)
    assert [trace["spans"][0]["operationName"] for trace in found] == ["third", "second"]


def test_a_span_sent_twice_stands_once(client: Client) -> None:
    """A request repeated by its sender does not double the spans of a trace."""
    span = build.span(trace_id=TRACE)
    client.send(build.traces([span]))
    client.send(build.traces([span]))

    assert len(client.data(f"/api/traces/{TRACE.hex()}")[0]["spans"]) == 1


def test_an_unknown_trace_is_jaegers_404(client: Client) -> None:
    """A trace that is not stored is answered as Jaeger does."""
    answer = client.get(f"/api/traces/{TRACE.hex()}")

    assert answer.status_code == 404
    assert answer.json() == {
        **ENVELOPE,
        "data": None,
        "errors": [{"code": 404, "msg": "trace not found"}],
    }


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/traces/xyz", {}),
        (f"/api/traces/{'a' * 33}", {}),
        (f"/api/traces/{'0' * 32}", {}),
        ("/api/traces", {"traceID": "'; DROP TABLE traces"}),
        ("/api/traces", {"traceID": ["1"] * 101}),
        ("/api/traces", {"limit": "0"}),
        ("/api/traces", {"limit": "ten"}),
        ("/api/traces", {"start": "9" * 19}),
        ("/api/traces", {"tags": "{"}),
        ("/api/traces", {"tags": "[]"}),
        ("/api/traces", {"tags": "nope"}),
        ("/api/traces", {"tag": "nocolon"}),
        ("/api/traces", {"minDuration": "5"}),
        ("/api/traces", {"minDuration": "2s", "maxDuration": "1s"}),
        ("/api/traces", {"lookback": "yesterday"}),
        ("/api/traces", {"service": "x" * 257}),
        ("/api/traces", {"service": "a\x00b"}),
        ("/api/operations", {}),
        ("/api/dependencies", {"endTs": "now"}),
    ],
)
def test_bad_parameters_get_400_with_a_reason(
    client: Client, path: str, params: dict[str, Any]
) -> None:
    """A parameter that makes no sense is answered 400 in Jaeger's form, with a reason."""
    answer = client.get(path, **params)
    [error] = answer.json()["errors"]

    assert (answer.status_code, error["code"]) == (400, 400)
    assert len(error["msg"]) > 10


def test_extreme_but_legal_parameters_are_answered(client: Client, order: dict[str, Span]) -> None:
    """Huge limits, times and durations are capped rather than refused."""
    params = {"limit": 10**9, "start": -5, "end": 2**63 - 1, "maxDuration": "999999999d"}

    assert len(client.data("/api/traces", service="web", **params)) == 1
    assert client.data("/api/dependencies", endTs=2**62, lookback=2**62) != []


def test_values_in_an_answer_are_bounded(client: Client) -> None:
    """A huge attribute value is cut in the answer, and numbers JSON cannot write become text."""
    span = build.span(trace_id=TRACE, attributes={"big": "x" * 100_000, "nan": float("nan")})
    client.send(build.traces([span]))
    [trace] = client.data(f"/api/traces/{TRACE.hex()}")
    tags = {tag["key"]: tag["value"] for tag in trace["spans"][0]["tags"]}

    assert len(tags["big"]) == 16_384
    assert tags["nan"] == "nan"


def test_a_span_that_ends_before_it_starts_is_shown_with_a_warning(client: Client) -> None:
    """A negative duration is shown as zero, with a warning."""
    now = time.time_ns()
    span = build.span(trace_id=TRACE, start_time_unix_nano=now, end_time_unix_nano=now - 10**9)
    client.send(build.traces([span]))
    [trace] = client.data(f"/api/traces/{TRACE.hex()}")

    assert trace["spans"][0]["duration"] == 0
    assert trace["spans"][0]["warnings"]


def test_names_past_the_index_limit_are_still_found_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more operations than are indexed, traces are stored and found all the same."""
    monkeypatch.setattr("otel_kit.embedded.ingest.MAX_OPERATIONS", 3)
    with collector() as client:
        spans = [build.span(f"operation {number}") for number in range(10)]
        client.send(build.traces(spans))

        assert len(client.data("/api/services/orders/operations")) == 3
        assert len(client.data("/api/traces", service="orders")) == 10
        assert client.get(f"/api/traces/{spans[9].trace_id.hex()}").status_code == 200
