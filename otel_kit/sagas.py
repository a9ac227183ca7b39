"""Sagas: one business flow with an id, followed across services and traces.

The id travels as W3C baggage and stands on every span within, so that all traces of one order can
be found as one story.  A step says what is being done, a compensation what is being undone.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from opentelemetry import baggage, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, Status, StatusCode

from otel_kit import names
from otel_kit._locks import ForkSafeLock
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops import current
from otel_kit.hops.edges import QUEUE_BUCKETS

Outcome = Literal["completed", "compensated", "partially_compensated", "failed"]
_ID_LENGTH = 256
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Saga:
    """One business flow: its id (an order number) and its name (the kind of flow, bounded)."""

    id: str
    name: str

    def finish(self, outcome: Outcome, *, started_at: float | None = None) -> None:
        """Say how the saga ended, in whichever service knows it.

        Marks the current span, and counts `otel_kit.saga.finished` and `.duration`.  `started_at`
        (seconds since the epoch) may be given by an application that stores it; without it the
        duration is recorded if the saga began in this process.

        Raises ValueError for an unknown outcome: that is the caller's mistake, not telemetry's.
        """
        if outcome not in get_args(Outcome):
            raise ValueError(f"outcome {outcome!r} is none of {', '.join(get_args(Outcome))}")
        span = trace.get_current_span()
        span.set_attribute(names.SAGA_OUTCOME, outcome)
        span.add_event(
            names.EVENT_SAGA_FINISHED, {names.SAGA_ID: self.id, names.SAGA_OUTCOME: outcome}
        )
        _finished(self, outcome, started_at)


@contextmanager
def saga(id: str, name: str = "saga") -> Iterator[Saga]:  # noqa: A002 - the word of the standard
    """Everything within belongs to the saga `id`: here, and in every service called from here.

    A saga that is new here counts as started; one that arrived with a message is joined.
    """
    this = Saga(str(id)[:_ID_LENGTH], name)
    joined = current_saga() == this
    token = attach(_with_baggage(this, get_current()))
    try:
        trace.get_current_span().set_attributes(_attributes(this))
        if not joined:
            _started(this)
        yield this
    finally:
        detach(token)


def current_saga() -> Saga | None:
    """The saga that the current context belongs to, None outside one."""
    return _saga_of(get_current())


@contextmanager
def step(name: str) -> Iterator[Span]:
    """One step of the current saga: a span, and a log event at its start.

    The event makes work in progress visible, since a span is sent only when it has ended.
    """
    with _step(name, {names.SAGA_STEP: name, names.SAGA_STEP_KIND: "action"}) as span:
        yield span


@contextmanager
def compensate(step: str) -> Iterator[Span]:
    """The undoing of `step`, an earlier step of the current saga."""
    attributes = {
        names.SAGA_STEP: f"undo {step}",
        names.SAGA_STEP_KIND: "compensation",
        names.SAGA_COMPENSATES: step,
    }
    with _step(f"undo {step}", attributes) as span:
        yield span


def stamp(span: Span, parent: Context | None) -> None:
    """Put the saga of `parent` (None: the current context) on a span that begins; for any span."""
    if (found := _saga_of(get_current() if parent is None else parent)) is not None:
        span.set_attributes(_attributes(found))


@contextmanager
def _step(name: str, attributes: dict[str, str]) -> Iterator[Span]:
    runtime = current()
    tracer = runtime.tracer if runtime else trace.get_tracer(names.SCOPE)
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        if span.is_recording():  # else nothing would ever tell that the step has ended
            _announce(attributes)
        try:
            yield span
        except Exception as error:
            span.record_exception(error)
            span.set_attribute(
                names.SPAN_ERROR_CLASS, classify(error, ErrorClass.SERVER_ERROR).value
            )
            span.set_status(Status(StatusCode.ERROR, str(error)))
            raise


def _announce(attributes: dict[str, str]) -> None:
    if (runtime := current()) is None:
        return
    this = current_saga()
    body = attributes[names.SAGA_STEP]
    record = LogRecord(
        timestamp=time.time_ns(),
        context=get_current(),
        severity_number=SeverityNumber.INFO,
        body=f"{body} started",
        attributes={**attributes, **(_attributes(this) if this else {})},
        event_name=names.EVENT_STEP_STARTED,
    )
    try:
        runtime.logger.emit(record)
    except Exception as error:  # the guard: telemetry never harms the application
        runtime.broke("saga.step.started", error)


def _attributes(saga: Saga) -> dict[str, str]:
    return {names.SAGA_ID: saga.id, names.SAGA_NAME: saga.name}


def _with_baggage(saga: Saga, context: Context) -> Context:
    for key, value in _attributes(saga).items():
        context = baggage.set_baggage(key, value, context)
    return context


def _saga_of(context: Context) -> Saga | None:
    found = baggage.get_baggage(names.SAGA_ID, context)
    if not isinstance(found, str):
        return None
    name = baggage.get_baggage(names.SAGA_NAME, context)
    return Saga(found[:_ID_LENGTH], name[:_ID_LENGTH] if isinstance(name, str) else "saga")


# -- metrics ------------------------------------------------------------------------------------

_began: OrderedDict[str, float] = OrderedDict()
_lock = ForkSafeLock()


def _started(saga: Saga) -> None:
    with _lock:
        _began[saga.id] = time.time()
        if len(_began) > _REMEMBERED:
            _began.popitem(last=False)
    if (runtime := current()) is not None:
        counter = runtime.meter.create_counter(names.SAGA_STARTED, "{saga}", "Sagas begun.")
        counter.add(1, {names.NAME: runtime.saga_names(saga.name)})


def _finished(saga: Saga, outcome: Outcome, started_at: float | None) -> None:
    with _lock:
        began = _began.pop(saga.id, None)
    if (runtime := current()) is None:
        return
    labels = {names.NAME: runtime.saga_names(saga.name)}
    counter = runtime.meter.create_counter(names.SAGA_FINISHED, "{saga}", "Sagas ended.")
    counter.add(1, {**labels, names.OUTCOME: outcome})
    began = started_at or began
    if began is not None:
        duration = runtime.meter.create_histogram(
            names.SAGA_DURATION,
            "s",
            "From the start of a saga to its end.",
            explicit_bucket_boundaries_advisory=QUEUE_BUCKETS,
        )
        duration.record(max(0.0, time.time() - began), {**labels, names.OUTCOME: outcome})
