"""Retries: a call that is made again until it succeeds, as numbered attempts under one span."""

import time
from typing import Literal, NamedTuple

from opentelemetry.context import attach, get_current, get_value, set_value
from opentelemetry.trace import Span, set_span_in_context

from otel_kit import names
from otel_kit._identity import IdentityMap
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops import Runtime, current
from otel_kit.hops.attempts import Told
from otel_kit.hops.failures import mark_failed
from otel_kit.hops.keys import ATTEMPT

Outcome = Literal["success", "gave_up"]
_REMEMBERED = 10


class Failure(NamedTuple):
    """An attempt that failed."""

    at: float
    """Seconds since the epoch."""
    error_class: str


_failures: IdentityMap[tuple[Failure, ...]] = IdentityMap()


def failures(error: BaseException) -> tuple[Failure, ...]:
    """The last ten attempts of the retried call that gave up with `error`; empty if none did."""
    return _failures.get(error) or ()


class RetriedCall:
    """A call and its attempts, one after the other.  No method raises (see `Settings.strict`).

    `operation` is what is retried, in a bounded number of words: a function's name.  The server of
    an attempt is the one of the last hop, or of the breaker that refused, within it.
    """

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._runtime = current()
        self._span: Span | None = None
        self._attempt: _Attempt | None = None
        self._failures: list[Failure] = []

    def begin(self, number: int) -> None:
        """Attempt `number`, from 1, begins: its span is the current one until `ended`."""
        runtime = self._runtime
        if runtime is None or (self._attempt is not None and not self._attempt.over):
            return
        try:
            if self._span is None:
                self._span = runtime.tracer.start_span(f"retry {self._operation}")
            self._attempt = _Attempt(runtime, self._span, self._operation, number)
        except Exception as error:
            runtime.broke("begin of an attempt", error)

    def ended(self, error: BaseException | None = None) -> None:
        """The attempt returned, or raised `error`.  What becomes of it is not known yet."""
        if self._runtime is None or self._attempt is None or self._attempt.over:
            return
        try:
            error_class = self._attempt.end(error)
            if error_class is not None:
                self._failures.append(Failure(time.time(), error_class))
        except Exception as ours:
            self._runtime.broke("end of an attempt", ours)

    def again(self) -> None:
        """There will be another attempt."""
        self._count("retried")

    def finish(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """The caller has its result, or `error`."""
        span, self._span = self._span, None
        if span is None or self._runtime is None:
            return
        try:
            if error is not None and self._failures:
                _failures.set(error, tuple(self._failures[-_REMEMBERED:]))
            span.set_attribute(names.SPAN_RETRY_OUTCOME, outcome)
            if outcome == "gave_up":
                _mark(span, error, self._failures[-1].error_class if self._failures else None)
            span.end()
            self._count(outcome)
        except Exception as ours:
            self._runtime.broke("end of a retried call", ours)

    @property
    def under_way(self) -> bool:
        """Whether an attempt was made and `finish` was not called yet."""
        return self._span is not None

    def abandon(self) -> None:
        """Nobody asks any more what the last attempt came to."""
        failed = self._attempt is not None and self._attempt.failed
        self.finish("gave_up" if failed else "success")

    def _count(self, outcome: str) -> None:
        if (runtime := self._runtime) is None or self._attempt is None:
            return
        counter = runtime.meter.create_counter(
            names.RETRY_ATTEMPTS, "{attempt}", "Attempts of retried calls."
        )
        labels = {
            names.SERVER: self._attempt.server,
            names.OPERATION: runtime.retried_names(self._operation),
            names.OUTCOME: outcome,
        }
        counter.add(1, labels, self._attempt.context)


class _Attempt(Told):
    """One attempt, current while it lasts."""

    def __init__(self, runtime: Runtime, parent: Span, operation: str, number: int) -> None:
        self.server = names.UNKNOWN
        self.over = self.failed = False
        self._previous = get_current()
        self._span = runtime.tracer.start_span(
            f"attempt {operation}",
            set_span_in_context(parent, self._previous),
            attributes={names.SPAN_RETRY_ATTEMPT: number},
        )
        within = set_value(ATTEMPT, self, self._previous)
        self.context = set_span_in_context(self._span, within)
        attach(self.context)

    def called(self, server: str) -> None:
        self.server = server

    def end(self, error: BaseException | None) -> str | None:
        self.over, self.failed = True, error is not None
        if get_value(ATTEMPT) is self:
            attach(self._previous)
        found = None if error is None else _mark(self._span, error)
        self._span.end()
        return found


def _mark(span: Span, error: BaseException | None, default: str | None = None) -> str:
    """Say on the span why it failed; returns the error class."""
    known = ErrorClass(default or ErrorClass.UNKNOWN)
    found = known if error is None else classify(error, known)
    span.set_attribute(names.SPAN_ERROR_CLASS, found.value)
    if found is not ErrorClass.CANCELLED:
        mark_failed(span, error)
    return found.value
