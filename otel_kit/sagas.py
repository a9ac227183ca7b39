"""Sagas: one business flow with an id, followed across services and traces.

The id travels as W3C baggage and stands on every span within, so that all traces of one order can
be found as one story.  A step says what is being done, a compensation what is being undone.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

from opentelemetry import baggage, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span

from otel_kit import names
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops import Runtime, current, replaying
from otel_kit.hops.edges import QUEUE_BUCKETS
from otel_kit.hops.failures import mark_failed
from otel_kit.hops.place import Place
from otel_kit.hops.stamp import ID_LENGTH, NO_NAME, saga_attributes

Outcome = Literal["completed", "compensated", "partially_compensated", "failed"]


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
        if replaying():
            return
        span = trace.get_current_span()
        span.set_attribute(names.SAGA_OUTCOME, outcome)
        span.add_event(
            names.EVENT_SAGA_FINISHED, {names.SAGA_ID: self.id, names.SAGA_OUTCOME: outcome}
        )
        _guarded(_finished, self, outcome, started_at)


@contextmanager
def saga(id: str, name: str = NO_NAME) -> Iterator[Saga]:  # noqa: A002 - the word of the standard
    """Everything within belongs to the saga `id`: here, and in every service called from here.

    A saga that is new here counts as started, once a process; one that arrived with a message is
    joined.  A synchronous generator that a web framework runs in its thread pool is in its caller's
    context again after each `yield`: enter the saga around its parts, or around the generator.
    """
    this = Saga(str(id)[:ID_LENGTH], str(name)[:ID_LENGTH])
    joined = current_saga() == this
    place = Place(_with_baggage(this, get_current()))
    try:
        if not replaying():
            trace.get_current_span().set_attributes(_attributes(this))
        if not joined:
            _guarded(_started, this)
        yield this
    finally:
        place.leave()


def current_saga() -> Saga | None:
    """The saga that the current context belongs to, None outside one."""
    return _saga_of(get_current())


@contextmanager
def step(name: str) -> Iterator[Span]:
    """One step of the current saga: a span, and a log event at its start.

    The event makes work in progress visible, since a span is sent only when it has ended.
    """
    name = str(name)
    with _step(name, {names.SAGA_STEP: name, names.SAGA_STEP_KIND: "action"}) as span:
        yield span


@contextmanager
def compensate(step: str) -> Iterator[Span]:
    """The undoing of `step`, an earlier step of the current saga."""
    step = str(step)
    attributes = {
        names.SAGA_STEP: f"undo {step}",
        names.SAGA_STEP_KIND: "compensation",
        names.SAGA_COMPENSATES: step,
    }
    with _step(f"undo {step}", attributes) as span:
        yield span


def stamp(span: Span, parent: Context | None) -> None:
    """Put the saga of `parent` (None: the current context) on a span that begins; for any span."""
    if found := saga_attributes(get_current() if parent is None else parent):
        span.set_attributes(found)


@contextmanager
def _step(name: str, attributes: dict[str, str]) -> Iterator[Span]:
    if replaying():  # it was recorded when it was done
        yield trace.INVALID_SPAN
        return
    span = _begun(name, attributes)
    place = Place(trace.set_span_in_context(span))
    if span.is_recording():  # else nothing would ever tell that the step has ended
        _guarded(_announce, attributes)
    try:
        yield span
    except Exception as error:
        found = classify(error, ErrorClass.SERVER_ERROR)
        span.set_attribute(names.SPAN_ERROR_CLASS, found.value)
        mark_failed(span, error)
        raise
    finally:
        place.leave()
        span.end()


def _begun(name: str, attributes: dict[str, str]) -> Span:
    runtime = current()
    tracer = runtime.tracer if runtime else trace.get_tracer(names.SCOPE)
    return tracer.start_span(name, attributes=attributes)


def _announce(runtime: Runtime, attributes: dict[str, str]) -> None:
    this = current_saga()
    record = LogRecord(
        timestamp=time.time_ns(),
        context=get_current(),
        severity_number=SeverityNumber.INFO,
        body=f"{attributes[names.SAGA_STEP]} started",
        attributes={**attributes, **(_attributes(this) if this else {})},
        event_name=names.EVENT_STEP_STARTED,
    )
    runtime.logger.emit(record)


def _attributes(saga: Saga) -> dict[str, str]:
    return {names.SAGA_ID: saga.id, names.SAGA_NAME: saga.name}


def _with_baggage(saga: Saga, context: Context) -> Context:
    for key, value in _attributes(saga).items():
        context = baggage.set_baggage(key, value, context)
    return context


def _saga_of(context: Context) -> Saga | None:
    found = saga_attributes(context)
    return Saga(found[names.SAGA_ID], found[names.SAGA_NAME]) if found else None


def _guarded(function: Callable[..., None], *args: Any) -> None:
    """Nothing of the kit's reaches the application; without a runtime there is nothing to tell."""
    if (runtime := current()) is None:
        return
    try:
        function(runtime, *args)
    except Exception as error:
        runtime.broke(function.__name__.strip("_"), error)


# -- metrics ------------------------------------------------------------------------------------


def _started(runtime: Runtime, saga: Saga) -> None:
    if runtime.sagas.begin(saga):
        counter = runtime.meter.create_counter(names.SAGA_STARTED, "{saga}", "Sagas begun.")
        counter.add(1, {names.NAME: runtime.saga_names(saga.name)})


def _finished(runtime: Runtime, saga: Saga, outcome: Outcome, started_at: float | None) -> None:
    labels = {names.NAME: runtime.saga_names(saga.name), names.OUTCOME: outcome}
    counter = runtime.meter.create_counter(names.SAGA_FINISHED, "{saga}", "Sagas ended.")
    counter.add(1, labels)
    began = runtime.sagas.end(saga)
    began = began if started_at is None else started_at
    if began is not None:
        duration = runtime.meter.create_histogram(
            names.SAGA_DURATION,
            "s",
            "From the start of a saga to its end.",
            explicit_bucket_boundaries_advisory=QUEUE_BUCKETS,
        )
        duration.record(max(0.0, time.time() - began), labels)
