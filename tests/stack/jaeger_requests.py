"""Requests of Jaeger's query API: every route that DESIGN §8 lists, asked rightly and wrongly."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.stack.odd_spans import TRACES, begin, trace_id


@dataclass(frozen=True)
class Case:
    """One request to both."""

    name: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)


def _search(name: str, **params: Any) -> Case:
    return Case(f"search: {name}", "/api/traces", {"service": "orders", **params})


def _tags(name: str, tags: dict[str, Any], **params: Any) -> Case:
    return _search(f"tags {name}", tags=json.dumps(tags), **params)


ORDER = begin("order")
MS = 1000
UNKNOWN = "a" * 32

CASES = [
    *(Case(f"trace: {name}", f"/api/traces/{trace_id(name)}") for name in TRACES),
    Case("trace: id in upper case", f"/api/traces/{trace_id('order').upper()}"),
    Case("trace: raw", f"/api/traces/{trace_id('order')}", {"raw": "true"}),
    Case("trace: pretty", f"/api/traces/{trace_id('order')}", {"prettyPrint": "true"}),
    Case("trace: unknown", f"/api/traces/{UNKNOWN}"),
    Case("trace: unknown short id", "/api/traces/1"),
    Case("trace: no hex", "/api/traces/xyz"),
    Case("trace: too long", f"/api/traces/{'a' * 33}"),
    Case("trace: zero", f"/api/traces/{'0' * 32}"),
    Case("services", "/api/services"),
    *(
        Case(f"operation names: {service}", f"/api/services/{quoted}/operations")
        for service, quoted in {
            "orders": "orders", "absent": "absent", "café δ": "caf%C3%A9%20%CE%B4",
            "shop/eu west": "shop%2Feu%20west", "a+b&c": "a%2Bb%26c", "nameless": "nameless",
        }.items()
    ),
    Case("operations: names", "/api/operations", {"service": "absent"}),
    Case("operations: with kinds", "/api/operations", {"service": "orders"}),
    Case("operations: of a kind", "/api/operations", {"service": "orders", "spanKind": "server"}),
    Case("operations: no service", "/api/operations"),
    Case("operations: empty service", "/api/operations", {"service": ""}),
    _search("service"),
    _search("absent service", service="absent"),
    _search("service in unicode", service="café δ"),
    _search("service with a slash", service="shop/eu west"),
    _search("service in upper case", service="ORDERS"),
    Case("search: no service", "/api/traces"),
    _search("empty service", service=""),
    _search("operation", operation="reserve"),
    _search("operation of another service", operation="charge"),
    _search("absent operation", operation="absent"),
    _search("operation in unicode", service="café δ", operation="注文 🛒"),
    _search("operation with signs", service="shop/eu west", operation="a/b?c=d&e%20f"),
    _tags("text", {"saga.step": "reserve"}),
    _tags("other text", {"saga.step": "other"}),
    _tags("part of a text", {"saga.step": "reser"}),
    _tags("absent", {"absent": "x"}),
    _tags("of another service", {"error.type": "business"}),
    _tags("of no service", {"x": "y"}, service="absent"),
    _tags("none", {}),
    *(
        _tags(f"{key} as text", {key: value}, service="billing")
        for key, value in {
            "error": "true", "otel.status_code": "ERROR",
            "otel.status_description": "card declined", "amount": "12", "share": "0.25",
            "final": "true", "span.kind": "consumer", "otel.scope.name": "otel_kit",
            "service.instance.id": "b-1", "process.pid": "17", "attempt": "2", "event": "retry",
        }.items()
    ),
    _tags("error false", {"error": "false"}),
    _tags("status unset", {"otel.status_code": "UNSET"}),
    _tags("trace state", {"w3c.tracestate": "otelkit=c:web,a=b"}, service="web"),
    _tags("of one resource of a service", {"host.name": "b"}),
    _tags("of one span", {"amount": "12", "share": "0.25"}, service="billing"),
    _tags("one of which fails", {"amount": "12", "share": "0.5"}, service="billing"),
    _tags("of two spans", {"saga.step": "reserve", "span.kind": "producer"}),
    _tags("of the operation's span", {"saga.step": "reserve"}, operation="reserve"),
    _tags("of another span than the operation's", {"saga.step": "reserve"}, operation="unkind"),
    _tags("saga.id", {"saga.id": "order-1"}, service="billing"),
    _tags("saga.id of another service", {"saga.id": "order-1"}),
    _tags("service.name", {"service.name": "orders"}),
    *(
        _tags(f"of the value {key}", {key: value}, service="values")
        for key, value in {
            "no text": "", "no": "false", "negative": "-7", "int64": str(2**63 - 1), "tenth": "0.1",
            "whole": "5", "huge": "1e+300", "tiny": "1e-07", "third": "0.3333333333",
            "list": '["a",1,2.5,5,true]', "no list": "[]", "json": '{"a": 1}', "html": "<a & b>",
            "map": '{"a":"\\u003cx\\u003e","b":1,"c":[1,"y"],"d":0.5}', "flag": "true",
            "bytes": "AP8Q", "nothing": "",
        }.items()
    ),
    _tags("in unicode", {"größe": "naïve", "emoji": "🛒"}, service="café δ"),
    _tags("with signs", {"line": 'a\nb\t"c"', "colon:key": "a:b"}, service="café δ"),
    _search("tag", tag="saga.step:reserve"),
    _search("two tags", service="billing", tag=["amount:12", "share:0.25"]),
    _search("tag with two colons", service="café δ", tag="emoji::🛒"),
    _search("tag without a value", tag="saga.step:"),
    _search("tag and tags", service="billing", tag="amount:12", tags='{"share":"0.25"}'),
    _search("tag without a colon", tag="nocolon"),
    _search("tags that are no JSON", tags="{"),
    _search("tags that are a list", tags="[]"),
    _search("tags that are text", tags='"x"'),
    _tags("that are numbers", {"amount": 12}, service="billing"),
    _search("least duration", minDuration="70ms"),
    _search("least duration, too long", minDuration="91ms"),
    _search("least duration of another service's span", minDuration="85ms"),
    _search("most duration", maxDuration="1500us"),
    _search("most duration, too short", service="web", maxDuration="70ms"),
    _search("durations", minDuration="3.25ms", maxDuration="3250µs"),
    _search("durations in parts", minDuration="0h0m0.001s2ms", maxDuration="1m0.5s"),
    _search("durations of a span that fails otherwise", operation="reserve", minDuration="50ms"),
    _search("durations and a tag", tag="saga.step:reserve", maxDuration="4ms"),
    _search("least duration over most", minDuration="2s", maxDuration="1s"),
    *(
        _search(f"duration {text or 'empty'}", minDuration=text)
        for text in ("", "0", "0s", "+1ms", ".5ms", "1.ms", "5", "ms", "1 ms", "1d", "x", "1e3ms")
    ),
    _search("negative duration", minDuration="-1ms"),
    _search("from before", start=ORDER - 1),
    _search("from the start", start=ORDER + 10 * MS),
    _search("from after its last span", start=ORDER + 22 * MS),
    _search("from after it", start=ORDER + 1000 * MS),
    _search("to before it", end=ORDER - 1),
    _search("to its first span", end=ORDER + 10 * MS),
    _search("to before its service's first span", end=ORDER + 9 * MS),
    _search("between", start=ORDER + 11 * MS, end=ORDER + 13 * MS),
    _search("between its spans", start=ORDER + 13 * MS, end=ORDER + 19 * MS),
    _search("tag in time", tag="saga.step:reserve", end=ORDER + 12 * MS),
    _search("tag out of time", tag="saga.step:reserve", end=ORDER + 11 * MS),
    _search("end before start", start=ORDER, end=ORDER - MS),
    _search("start that is no number", start="now"),
    _search("end that is no number", end="1.5"),
    _search("start that is too large", start="9" * 20),
    _search("lookback of a day", lookback="1d"),
    _search("custom lookback", lookback="custom", start=ORDER - 1),
    _search("lookback of a minute", lookback="1m"),
    _search("older than two days", service="old"),
    _search("from three days ago", service="old", start=begin("old")),
    *(_search(f"limit {n}", service="many", limit=n) for n in (1, 2, 5, 11, 12, 1000)),
    _search("limit and operation", service="many", operation="n 1", limit=2),
    _search("limit and tag", service="many", tag="n:2", limit=3),
    _search("limit and times", service="many", end=begin("many 4"), start=begin("many 9"), limit=4),
    _search("limit none", service="many", limit=""),
    _search("limit 0", service="many", limit=0),
    _search("limit -1", service="many", limit=-1),
    _search("limit ten", limit="ten"),
    _search("limit 1.5", limit="1.5"),
    _search("limit of 40 bits", limit=2**40),
    _search("unknown parameter", whatever="x"),
    _search("raw that is no boolean", raw="maybe"),
    Case("ids: two", "/api/traces", {"traceID": [trace_id("order"), trace_id("twice")]}),
    Case("ids: one missing", "/api/traces", {"traceID": [trace_id("order"), UNKNOWN]}),
    Case("ids: all missing", "/api/traces", {"traceID": [UNKNOWN, "b" * 32]}),
    Case("ids: one malformed", "/api/traces", {"traceID": [trace_id("order"), "nope"]}),
    Case("ids: short", "/api/traces", {"traceID": "1"}),
    Case("ids: too many", "/api/traces", {"traceID": [UNKNOWN] * 101}),
    Case("ids: and a service", "/api/traces", {"traceID": trace_id("order"), "service": "absent"}),
    Case("dependencies", "/api/dependencies"),
    Case("dependencies: of a service", "/api/dependencies", {"service": "orders"}),
    Case("dependencies: of an absent service", "/api/dependencies", {"service": "absent"}),
    Case(
        "dependencies: in time",
        "/api/dependencies",
        {"endTs": ORDER // 1000 + 1000, "lookback": 2000},
    ),
    Case("dependencies: before", "/api/dependencies", {"endTs": 1_000_000_000_000}),
    Case("dependencies: malformed end", "/api/dependencies", {"endTs": "now"}),
    Case("dependencies: malformed lookback", "/api/dependencies", {"lookback": "1d"}),
]  # fmt: skip
