"""Sagas made by hand, in milliseconds from a fixed moment."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.story import Story
from otel_kit.records import (
    EventRecord,
    LinkRecord,
    LogRecord,
    SagaDetail,
    SagaRecord,
    SpanRecord,
    TraceRecord,
)

START_NS = 1_800_000_000 * 10**9
MS = 10**6


def at(ms: float) -> int:
    """Nanoseconds since the epoch of `ms` after the start."""
    return START_NS + round(ms * MS)


def ms(time_ns: int) -> float:
    """The other way round."""
    return (time_ns - START_NS) / MS


class Made:
    """A saga under construction."""

    def __init__(self, saga_id: str = "order-1", name: str = "order") -> None:
        self.saga_id, self.name = saga_id, name
        self.spans: list[SpanRecord] = []
        self.logs: list[LogRecord] = []

    def trace_id(self, number: int) -> str:
        """The id of one of the saga's traces."""
        return f"{crc32(self.saga_id.encode()):08x}{number:024x}"

    def span(
        self,
        name: str,
        start: float,
        end: float,
        service: str = "orders",
        kind: str = "internal",
        *,
        under: SpanRecord | None = None,
        parent_id: str | None = None,
        trace: int = 1,
        links: Sequence[SpanRecord] = (),
        error: str = "",
        reason: str = "",
        **attributes: Any,
    ) -> SpanRecord:
        """A span that names the saga; `attributes` have ``__`` for a dot."""
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        classed = {"otel_kit.error_class": error} if error else {}
        made = SpanRecord(
            trace_id=under.trace_id if under else self.trace_id(trace),
            span_id=f"{len(self.spans) + 1:016x}",
            parent_span_id=under.span_id if under else parent_id,
            name=name,
            kind=kind,
            service=service,
            started_ns=at(start),
            ended_ns=at(end),
            status="error" if error else "unset",
            status_message=reason,
            attributes={"saga.id": self.saga_id, "saga.name": self.name, **classed, **named},
            resource={"service.name": service},
            events=[],
            links=[LinkRecord(link.trace_id, link.span_id, {}) for link in links],
        )
        self.spans.append(made)
        return made

    def step(self, name: str, start: float, end: float, service: str, **fields: Any) -> SpanRecord:
        """An action's span."""
        said = {"saga__step": name, "saga__step__kind": "action"}
        return self.span(name, start, end, service, **said, **fields)

    def undo(self, name: str, start: float, end: float, service: str, **fields: Any) -> SpanRecord:
        """A compensation's span."""
        said = {
            "saga__step": f"undo {name}",
            "saga__step__kind": "compensation",
            "saga__compensates": name,
        }
        return self.span(f"undo {name}", start, end, service, **said, **fields)

    def started(
        self, name: str, when: float, service: str, span_id: str = "f" * 16, undoes: str = ""
    ) -> None:
        """The event that a step has started; by default its span is not there (yet)."""
        kind = "compensation" if undoes else "action"
        attributes = {"saga.id": self.saga_id, "saga.step": name, "saga.step.kind": kind}
        if undoes:
            attributes["saga.compensates"] = undoes
        self.logs.append(
            LogRecord(
                at(when), service, "INFO", "saga.step.started", f"{name} started", self.trace_id(1),
                span_id, attributes, {"service.name": service},
            )
        )  # fmt: skip

    def finish(self, span: SpanRecord, outcome: str) -> None:
        """Tell the outcome at the end of `span`."""
        said = {"saga.id": self.saga_id, "saga.outcome": outcome}
        event = EventRecord(span.ended_ns, "saga.finished", said)
        place = self.spans.index(span)
        self.spans[place] = replace(span, events=[*span.events, event])

    def message(
        self,
        queue: str,
        sent: float,
        taken: float,
        done: float,
        services: tuple[str, str],
        under: SpanRecord | None = None,
        **fields: Any,
    ) -> SpanRecord:
        """A producer's and a consumer's span; returns the consumer's."""
        said = {"messaging__destination__name": queue}
        producer = self.span(
            f"send {queue}", sent, sent + 1, services[0], "producer", under=under, **said
        )
        fields = {"under": producer, "otel_kit__queue__duration": (taken - sent) / 1e3, **fields}
        return self.span(f"process {queue}", taken, done, services[1], "consumer", **said, **fields)

    def call(
        self,
        start: float,
        end: float,
        services: tuple[str, str],
        server: tuple[float, float] | None,
        under: SpanRecord | None = None,
        error: str = "",
        **fields: Any,
    ) -> SpanRecord:
        """A client's span and, unless `server` is None, its server's; returns the last of them."""
        said = {"service__peer__name": services[1], **fields}
        client = self.span(
            "POST", start, end, services[0], "client", under=under, error=error, **said
        )
        if server is None:
            return client
        return self.span("POST /", *server, services[1], "server", under=client, error=error)

    def detail(self) -> SagaDetail:
        """What a source would answer."""
        traces: dict[str, list[SpanRecord]] = {}
        for span in sorted(self.spans, key=lambda span: span.started_ns):
            traces.setdefault(span.trace_id, []).append(span)
        started = min([span.started_ns for span in self.spans] or [START_NS])
        ended = max([span.ended_ns for span in self.spans] or [START_NS])
        services = sorted({span.service for span in self.spans})
        errors = sum(span.status == "error" for span in self.spans)
        row = SagaRecord(
            self.saga_id, self.name, "running", None, started, (ended - started) / 1e9, services,
            errors, list(traces),
        )  # fmt: skip
        return SagaDetail(row, [TraceRecord(*each) for each in traces.items()], self.logs)

    def story(self, **options: Any) -> Story:
        """The saga, stitched."""
        return stitch(self.detail(), **options)


def order(saga_id: str = "order-1", *, charge: float = 20, queued: float = 10) -> Made:
    """A completed order: web calls orders; commands by queue to inventory and billing.

    `charge` is how long the bank takes, `queued` how long the command to it waits (ms).
    """
    made = Made(saga_id)
    root = made.span("POST /orders", 0, 30, "web", "server")
    place = made.call(2, 28, ("web", "orders"), (4, 26), root)
    reserve = made.message("inventory.commands", 10, 15, 40, ("orders", "inventory"), place)
    made.step("reserve-inventory", 16, 30, "inventory", under=reserve)
    reply = made.message("orders.replies", 32, 45, 55, ("inventory", "orders"), reserve)
    taken = 50 + queued
    done = taken + charge + 10
    bill = made.message("billing.commands", 50, taken, done, ("orders", "billing"), reply)
    step = made.step("charge-payment", taken + 1, done - 5, "billing", under=bill)
    made.call(taken + 2, done - 6, ("billing", "bank"), (taken + 3, done - 7), step)
    last = made.message(
        "orders.replies", done - 3, done + 5, done + 10, ("billing", "orders"), bill
    )
    made.finish(last, "completed")
    return made
