"""Traces with everything that OTLP allows a span to have, and some that nobody should send.

What Jaeger and the embedded collector show differently on purpose has a trace of its own.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from tests.embedded import build

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
_MS: Final = 10**6
_MINUTE: Final = 60 * 10**9
_NOW: Final = time.time_ns() // 10**9 * 10**9
_DAYS_AGO: Final = 3


def request() -> ExportTraceServiceRequest:
    """All traces, the oldest first; the trace `last` comes at the end."""
    groups = [group for name in reversed(TRACES) for group in TRACES[name](name)]
    return ExportTraceServiceRequest(resource_spans=groups)


def trace_id(trace: str) -> str:
    """The id of a trace, as text."""
    return _trace_id(trace).hex()


def begin(trace: str) -> int:
    """When a trace begins, in µs; each a minute before the one that stands above it in TRACES."""
    minutes = _number(trace) if trace != "old" else _DAYS_AGO * 24 * 60
    return (_NOW - minutes * _MINUTE) // 1000


def _number(trace: str) -> int:
    return list(TRACES).index(trace) + 1


def _trace_id(trace: str) -> bytes:
    number = bytes([_number(trace)])
    return bytes(8) + number * 8 if trace == "short id" else number + bytes(range(15))


def _span_id(trace: str, number: int) -> bytes:
    return bytes([_number(trace)]) + number.to_bytes(7, "big") if number else b""


def _span(
    trace: str,
    number: int,
    name: str,
    start_ms: float,
    took_ms: float,
    parent: int = 0,
    **fields: Any,
) -> Span:
    started = begin(trace) * 1000 + int(start_ms * _MS)
    return build.span(
        name,
        _trace_id(trace),
        span_id=_span_id(trace, number),
        parent_span_id=_span_id(trace, parent),
        start_time_unix_nano=started,
        end_time_unix_nano=started + int(took_ms * _MS),
        **fields,
    )  # fmt: skip


def _of(
    service: str | None, spans: Iterable[Span], scope: str = "", version: str = "", **resource: Any
) -> ResourceSpans:
    """Spans of one service; in the names of `resource`, an underscore stands for a dot."""
    group = ResourceSpans()
    named = {} if service is None else {"service.name": service}
    others = {key.replace("_", "."): value for key, value in resource.items()}
    group.resource.attributes.extend(build.pairs({**named, **others}))
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = scope, version
    scoped.spans.extend(spans)
    return group


def _order(t: str) -> list[ResourceSpans]:
    """Three services, every kind of span, an error, a link to another trace."""
    failed = Status(code=Status.STATUS_CODE_ERROR, message="card declined")
    refused = {"error.type": "business", "amount": 12, "share": 0.25, "final": True}
    refused |= {"saga.id": "order-1"}
    link = Span.Link(trace_id=_trace_id("values"), span_id=_span_id("values", 1))
    at = begin(t) * 1000 + 35 * _MS
    event = Span.Event(name="retry", time_unix_nano=at, attributes=build.pairs({"attempt": 2}))
    web = [
        _span(t, 1, "POST /orders", 0, 90, kind=SERVER, attributes={"http.route": "/orders"}),
        _span(t, 2, "PlaceOrder", 5, 80, 1, kind=CLIENT, trace_state="otelkit=c:web,a=b"),
    ]
    orders = [
        _span(t, 3, "PlaceOrder", 10, 70, 2, kind=SERVER, status=Status(code=1)),
        _span(t, 4, "reserve", 12, 3.25, 3, attributes={"saga.step": "reserve"}),
        _span(t, 5, "billing.commands send", 20, 1, 3, kind=PRODUCER),
        _span(t, 8, "unkind", 21, 1, 3, kind=0),
    ]
    billing = [
        _span(t, 6, "billing.commands process", 20.5, 0.5, 5, kind=CONSUMER, links=[link]),
        _span(t, 7, "charge", 20.6, 0.2515, 6, status=failed, attributes=refused, events=[event]),
    ]
    return [
        _of("web", web, "otel_kit", "0.1.0", service_version="1.2", telemetry_sdk_name="otel"),
        _of("orders", orders[:2], "otel_kit", "0.1.0", host_name="a"),
        _of("orders", orders[2:], "manual", host_name="b"),
        _of("billing", billing, "otel_kit", service_instance_id="b-1", process_pid=17),
    ]


def _values(t: str) -> list[ResourceSpans]:
    """An attribute of every type, at its limits."""
    values = {
        "text": "a", "no text": "", "long": "x" * 5_000, "yes": True, "no": False,
        "int": 3, "zero": 0, "negative": -7, "safe": 2**53 - 1, "unsafe": 2**53, "int64": 2**63 - 1,
        "least": -(2**63), "float": 1.5, "tenth": 0.1, "whole": 5.0, "huge": 1e300, "large": 1e21,
        "below large": 1e20, "tiny": 1e-7, "third": 1 / 3, "minus zero": -0.0,
        "bytes": b"\x00\xff\x10", "list": ["a", 1, 2.5, 5.0, True], "no list": [],
        "nested": [[1, [2]], "<b> & c"], "listed bytes": [b"\x01"],
        "json": '{"a": 1}', "html": "<a & b>",
    }  # fmt: skip
    span = _span(t, 1, "types", 0, 10, attributes=values)
    span.attributes.add(key="nothing", value=AnyValue())
    mapping = span.attributes.add(key="map").value.kvlist_value
    mapping.values.extend(build.pairs({"b": 1, "a": "<x>", "c": [1, "y"], "d": 0.5}))
    return [_of("values", [span], resource_list=[1, "b"], resource_bytes=b"\x01", flag=True)]


def _unicode(t: str) -> list[ResourceSpans]:
    """Names that are not ASCII, or have characters with a meaning elsewhere."""
    odd = {"größe": "naïve", "emoji": "🛒", "line": 'a\nb\t"c"', "colon:key": "a:b", "null": "\x00"}
    spans = [
        _span(t, 1, "注文 🛒", 0, 10, kind=SERVER, attributes=odd),
        _span(t, 2, "a/b?c=d&e%20f", 1, 2, 1),
        _span(t, 3, "  padded  ", 2, 2, 1),
        _span(t, 4, "x" * 200, 3, 2, 1),
    ]
    return [_of("café δ", spans[:1]), _of("shop/eu west", spans[1:3]), _of("a+b&c", spans[3:])]


def _events(t: str) -> list[ResourceSpans]:
    """Events of every sort."""
    at = begin(t) * 1000
    fields = {"message": "m", "event": "taken", "b": 1, "a": [1]}
    events = [
        Span.Event(name="late", time_unix_nano=at + 9_000_999, attributes=build.pairs({"n": 1})),
        Span.Event(name="early", time_unix_nano=at + 1),
        Span.Event(name="", time_unix_nano=at + 2_000, attributes=build.pairs({"only": "field"})),
        Span.Event(name="", time_unix_nano=at + 3_000),
        Span.Event(name="named", time_unix_nano=at + 4_000, attributes=build.pairs(fields)),
        Span.Event(name="when", time_unix_nano=0),
    ]
    return [_of("eventful", [_span(t, 1, "events", 0, 10, events=events)])]


def _links(t: str) -> list[ResourceSpans]:
    """Links within the trace, to another, with a trace state, and to no span."""
    links = [
        Span.Link(trace_id=_trace_id(t), span_id=_span_id(t, 3)),
        Span.Link(trace_id=_trace_id("order"), span_id=_span_id("order", 1), trace_state="a=b"),
    ]
    no_span = Span.Link(trace_id=_trace_id("order"), attributes=build.pairs({"why": "because"}))
    spans = [
        _span(t, 1, "root", 0, 10, links=[no_span]),
        _span(t, 2, "links", 0, 10, 1, links=links),
        _span(t, 3, "linked", 0, 10, 1),
    ]
    return [_of("linked", spans)]


def _parent_linked(t: str) -> list[ResourceSpans]:
    link = Span.Link(trace_id=_trace_id(t), span_id=_span_id(t, 1))
    return [
        _of("linked", [_span(t, 1, "root", 0, 10), _span(t, 2, "child", 1, 2, 1, links=[link])])
    ]


def _link_nowhere(t: str) -> list[ResourceSpans]:
    link = Span.Link(trace_id=bytes(16), span_id=_span_id(t, 1))
    return [_of("linked", [_span(t, 1, "root", 0, 10, links=[link])])]


def _short_id(t: str) -> list[ResourceSpans]:
    """A trace whose id was 64 bits once, and is linked to itself."""
    link = Span.Link(trace_id=_trace_id(t), span_id=_span_id(t, 1))
    return [_of("short", [_span(t, 1, "root", 0, 10), _span(t, 2, "next", 1, 1, links=[link])])]


def _orphans(t: str) -> list[ResourceSpans]:
    """Parents that never arrived."""
    spans = [
        _span(t, 1, "orphan", 0, 10, 99, kind=SERVER),
        _span(t, 2, "child", 1, 2, 1),
        _span(t, 3, "other orphan", 3, 2, 98),
    ]
    return [_of("lone", spans[:2]), _of("lone too", spans[2:])]


def _no_service(t: str) -> list[ResourceSpans]:
    empty, missing = _span(t, 1, "service is empty", 0, 9), _span(t, 2, "service is missing", 1, 2)
    return [_of("", [empty]), _of(None, [missing])]


def _shared_id(t: str) -> list[ResourceSpans]:
    """A client and a server with one id, as Zipkin's libraries have it."""
    spans = [_span(t, 1, "root", 0, 20), _span(t, 2, "call", 1, 10, 1, kind=CLIENT)]
    return [_of("zip", spans), _of("kin", [_span(t, 2, "call", 2, 8, 1, kind=SERVER)])]


def _twice(t: str) -> list[ResourceSpans]:
    """One span, sent twice."""
    return [_of("again", [_span(t, 1, "twice", 0, 1)]), _of("again", [_span(t, 1, "twice", 0, 1)])]


def _skewed(t: str) -> list[ResourceSpans]:
    """Children that stand outside of their parents; a message that is handled later."""
    spans = [
        _span(t, 1, "early parent", 0, 10, kind=CLIENT),
        _span(t, 2, "message", 9, 1, 1, kind=PRODUCER),
        _span(t, 3, "late child", 50, 5, 1, kind=SERVER),
        _span(t, 4, "long child", -3, 100, 1),
        _span(t, 5, "handled later", 400, 1, 2, kind=CONSUMER),
    ]
    return [_of("early", spans[:2]), _of("late", spans[2:])]


def _collisions(t: str) -> list[ResourceSpans]:
    """Attributes with names that Jaeger uses itself; words, flags and counts beside the status."""
    odd = {
        "span.kind": "mine", "error": "maybe", "otel.status_code": "odd", "event": "attribute",
        "otel.scope.name": "mine", "w3c.tracestate": "mine", "peer.service": "bank",
        "jaeger.version": "1", "otel.trace_state": "x", "warnings": "w",
    }  # fmt: skip
    spans = [
        _span(t, 1, "collides", 0, 10, kind=SERVER, status=Status(code=2), attributes=odd),
        _span(t, 2, "ok with words", 1, 1, 1, status=Status(code=1, message="fine")),
        _span(t, 3, "unset with words", 2, 1, 1, status=Status(message="hm")),
        _span(t, 4, "sampled", 2, 1, 1, flags=0x101, dropped_attributes_count=3),
    ]
    return [_of("collide", spans, "scope", "9", ip="10.0.0.1", host_name="h")]


def _doubled_key(t: str) -> list[ResourceSpans]:
    span = _span(t, 1, "doubled", 0, 1, attributes={"key": 1})
    span.attributes.extend(build.pairs({"key": 2}))
    return [_of("doubled", [span])]


def _durations(t: str) -> list[ResourceSpans]:
    """One of an hour, one below a microsecond."""
    tiny = _span(t, 2, "nanoseconds", 1.0005, 0.000999, 1)
    return [_of("slow", [_span(t, 1, "hour", 0, 3_600_000), tiny])]


def _one(t: str) -> list[ResourceSpans]:
    """For limits and times."""
    number = _number(t) % 3
    return [_of("many", [_span(t, 1, f"n {number}", 0, 10, attributes={"n": number})])]


def _alone(
    service: str, took_ms: float = 1, attributes: Mapping[str, Any] | None = None, name: str = "do"
) -> Callable[[str], list[ResourceSpans]]:
    """A trace of one span."""
    said = attributes or {}
    return lambda trace: [_of(service, [_span(trace, 1, name, 0, took_ms, attributes=said)])]


_OF_OLD_CLIENTS: Final = {
    "ip": 2130706433, "peer.ipv4": 2130706433, "telemetry.sdk.language": "python",
}  # fmt: skip

TRACES: Final[dict[str, Callable[[str], list[ResourceSpans]]]] = {
    "last": _alone("last"), "order": _order, "values": _values, "unicode": _unicode,
    "events": _events, "links": _links, "parent linked": _parent_linked,
    "link nowhere": _link_nowhere, "short id": _short_id, "orphans": _orphans,
    "no operation": _alone("nameless", name=""),
    "no service": _no_service,
    "shared id": _shared_id,
    "twice": _twice,
    "skewed": _skewed,
    "collisions": _collisions,
    "old clients": _alone("legacy", attributes=_OF_OLD_CLIENTS),
    "doubled key": _doubled_key,
    "empty bytes": _alone("hollow", attributes={"bytes": b""}),
    "not a number": _alone("nan", attributes={"nan": float("nan"), "infinite": float("inf")}),
    "huge value": _alone("huge", attributes={"text": "x" * 20_000}),
    "durations": _durations,
    "no duration": _alone("instant", 0),
    "negative duration": _alone("backwards", -5),
    **{f"many {number}": _one for number in range(12)},
    "old": _alone("old"),
}  # fmt: skip
