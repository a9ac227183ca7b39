"""Many sagas as OTLP requests, as their services would export them."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_kit.embedded.decode import ExportLogsServiceRequest, ExportTraceServiceRequest
from tests.embedded import build

SPANS: Final = 20
"""Of one saga, in three traces."""
RARE: Final = "fraud-desk"
"""A service that one saga in 5,000 visits."""
_SERVER, _CLIENT, _PRODUCER, _CONSUMER = 2, 3, 4, 5
_INTERNAL: Final = 1
_PLAN: Final[Sequence[tuple[int, str, int, str, str]]] = (
    # trace, service, kind, name, step
    (0, "web", _SERVER, "POST /orders", ""),
    (0, "web", _CLIENT, "CreateOrder", ""),
    (0, "orders", _SERVER, "CreateOrder", ""),
    (0, "orders", _INTERNAL, "INSERT orders", ""),
    (1, "orders", _PRODUCER, "send inventory.commands", ""),
    (1, "inventory", _CONSUMER, "process inventory.commands", ""),
    (1, "inventory", _INTERNAL, "reserve-inventory", "action"),
    (1, "inventory", _INTERNAL, "UPDATE stock", ""),
    (1, "inventory", _PRODUCER, "send orders.replies", ""),
    (1, "orders", _CONSUMER, "process orders.replies", ""),
    (2, "orders", _PRODUCER, "send billing.commands", ""),
    (2, "billing", _CONSUMER, "process billing.commands", ""),
    (2, "billing", _INTERNAL, "charge-payment", "action"),
    (2, "billing", _INTERNAL, "attempt charge", "1"),
    (2, "billing", _INTERNAL, "attempt charge", "2"),
    (2, "billing", _CLIENT, "POST", ""),
    (2, "bank", _SERVER, "POST /charges", ""),
    (2, "inventory", _INTERNAL, "undo reserve-inventory", "compensation"),
    (2, "notifications", _INTERNAL, "notify", "action"),
    (2, "orders", _CONSUMER, "process orders.replies", ""),
)


def requests(
    numbers: Sequence[int], start_ns: int, every_ns: int
) -> Iterator[ExportTraceServiceRequest | ExportLogsServiceRequest]:
    """One request of each service for these sagas, then the events of their steps."""
    spans: dict[str, list[Span]] = {}
    logs: list[LogRecord] = []
    for number in numbers:
        for service, span, log in saga(number, start_ns + number * every_ns):
            spans.setdefault(service, []).append(span)
            logs += log
    for service, found in spans.items():
        yield build.traces(found, service)
    yield build.logs(logs)


def outcome(number: int) -> str:
    """How saga `number` ends: one in 50 not at all."""
    return {0: "", 1: "failed", 2: "compensated"}.get(number % 50, "completed")


def saga_name(number: int) -> str:
    """Mostly orders."""
    return {0: "return", 1: "refund"}.get(number % 20, "order")


def saga(number: int, start_ns: int) -> Iterator[tuple[str, Span, list[LogRecord]]]:
    """Each span of one saga with its service, and the events of the steps among them."""
    rng = random.Random(number)
    traces = [rng.randbytes(16) for _ in range(3)]
    about = {"saga.id": f"order-{number:08d}", "saga.name": saga_name(number)}
    plan = _PLAN[: -1 if not outcome(number) else None]
    for place, (trace, service, kind, name, role) in enumerate(plan):
        if number % 5000 == 7 and service == "notifications":
            service = RARE
        fields: dict[str, Any] = {
            "span_id": rng.randbytes(8),
            "kind": kind,
            "start_time_unix_nano": start_ns + place * 10**7,
            "end_time_unix_nano": start_ns + place * 10**7 + rng.randrange(10**7, 10**9),
        }
        if role == "1" or (name == "charge-payment" and number % 50 in (1, 2)):
            fields["status"] = Status(code=Status.STATUS_CODE_ERROR)
        own = _attributes(name, role) | ({} if place < 19 else {"saga.outcome": outcome(number)})
        yield (
            service,
            build.span(name, traces[trace], attributes={**about, **own, **_EXTRA}, **fields),
            [_started(about | own, traces[trace], fields)] if "saga.step" in own else [],
        )


_EXTRA: Final = {"server.address": "10.0.0.7", "otel_kit.client": "web", "network.protocol": "h2"}


def _attributes(name: str, role: str) -> dict[str, Any]:
    if role.isdecimal():
        return {"otel_kit.retry.attempt": int(role)}
    return {"saga.step": name, "saga.step.kind": role} if role else {}


def _started(about: dict[str, Any], trace_id: bytes, fields: dict[str, Any]) -> LogRecord:
    return build.log(
        "started",
        event_name="saga.step.started",
        attributes=about,
        trace_id=trace_id,
        span_id=fields["span_id"],
        time_unix_nano=fields["start_time_unix_nano"],
    )
