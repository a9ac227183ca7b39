"""Sagas: ids that travel, steps that announce themselves, ends that are counted."""

import asyncio
import time
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry import propagate
from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture


def attributes(telemetry: Telemetry, name: str) -> dict[str, object]:
    """The attributes of the one span of that name."""
    return dict(telemetry.span(name).attributes or {})


def test_every_span_within_a_saga_has_its_id() -> None:
    """Also spans that the application makes itself."""
    with capture() as telemetry, otel_kit.saga("order-17", name="order"):
        telemetry.tracer_provider.get_tracer("app").start_span("own").end()

    own = attributes(telemetry, "own")
    assert (own[names.SAGA_ID], own[names.SAGA_NAME]) == ("order-17", "order")


def test_the_span_around_a_saga_gets_its_id_too() -> None:
    """A request whose order number is known only later belongs to the saga as well."""
    with capture() as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")
        with tracer.start_as_current_span("request"), otel_kit.saga("order-17"):
            pass

    assert attributes(telemetry, "request")[names.SAGA_ID] == "order-17"


def test_a_saga_travels_as_baggage() -> None:
    """Who extracts the headers is in the saga; a saga that arrived is not started again."""
    headers: dict[str, str] = {}
    with capture() as telemetry:
        with otel_kit.saga("order-17", name="order"):
            propagate.inject(headers)
        token = attach(propagate.extract(headers))
        arrived = otel_kit.current_saga()
        with otel_kit.saga("order-17", name="order"):
            pass
        detach(token)

    assert otel_kit.Saga("order-17", "order") == arrived
    assert telemetry.count(names.SAGA_STARTED, name="order") == 1


def test_a_step_announces_its_start() -> None:
    """The event is there before the step has ended, with saga and step, in the step's span."""
    with capture() as telemetry, otel_kit.saga("order-17"), otel_kit.step("reserve") as span:
        assert telemetry.spans == []
        (event,) = telemetry.logs

    record = event.log_record
    assert record.event_name == names.EVENT_STEP_STARTED
    assert span.get_span_context().span_id == record.span_id
    said = dict(record.attributes or {})
    assert (
        said[names.SAGA_ID],
        said[names.SAGA_STEP],
        said[names.SAGA_STEP_KIND],
    ) == ("order-17", "reserve", "action")


def test_a_compensation_names_the_step_it_undoes() -> None:
    """`saga.step.kind` is compensation, `saga.compensates` the step."""
    with capture() as telemetry, otel_kit.saga("order-17"), otel_kit.compensate("reserve"):
        pass

    span = attributes(telemetry, "undo reserve")
    assert (span[names.SAGA_STEP_KIND], span[names.SAGA_COMPENSATES]) == ("compensation", "reserve")


def test_a_failed_step_is_an_error_and_raises_the_same_exception() -> None:
    """The application's exception arrives unchanged, and is recorded once."""
    failure = ValueError("no stock")
    with (
        capture() as telemetry,
        pytest.raises(ValueError, match="no stock") as raised,
        otel_kit.step("reserve"),
    ):
        raise failure

    assert failure is raised.value
    span = telemetry.span("reserve")
    assert StatusCode.ERROR is span.status.status_code
    assert len(span.events) == 1


@pytest.mark.parametrize("outcome", ["completed", "compensated", "partially_compensated", "failed"])
def test_the_end_of_a_saga_is_counted(outcome: otel_kit.sagas.Outcome) -> None:
    """Outcome on the span, as an event, as a counter, and the duration since its start."""
    with capture() as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("app")
        with (
            tracer.start_as_current_span("last"),
            otel_kit.saga(f"order-{outcome}", name="order") as saga,
        ):
            saga.finish(outcome)

    assert outcome == attributes(telemetry, "last")[names.SAGA_OUTCOME]
    assert [event.name for event in telemetry.span("last").events] == [names.EVENT_SAGA_FINISHED]
    assert telemetry.count(names.SAGA_FINISHED, name="order", outcome=outcome) == 1
    assert telemetry.count(names.SAGA_DURATION, name="order", outcome=outcome) == 1


def test_an_unknown_outcome_is_the_callers_mistake() -> None:
    """The message lists the allowed outcomes."""
    with (
        capture(),
        otel_kit.saga("order-17") as saga,
        pytest.raises(ValueError, match="compensated"),
    ):
        saga.finish("done")  # type: ignore[arg-type]


def test_sagas_work_without_instrument() -> None:
    """An application that is not instrumented runs as if the calls were not there."""
    with otel_kit.saga("order-17", name="order") as saga, otel_kit.step("reserve"):
        assert saga == otel_kit.current_saga()
        saga.finish("completed")

    assert otel_kit.current_saga() is None


async def test_concurrent_sagas_do_not_mix() -> None:
    """Each task is in its own saga."""

    async def one(number: int) -> str | None:
        with otel_kit.saga(f"order-{number}"):
            await asyncio.sleep(0)
            found = otel_kit.current_saga()
            return found.id if found else None

    with capture():
        found = await asyncio.gather(*(one(number) for number in range(50)))

    assert [f"order-{number}" for number in range(50)] == found


def test_saga_names_are_bounded_and_ids_are_no_label() -> None:
    """The number of distinct names in labels has a limit; no label holds an id."""
    with capture(max_peers=2) as telemetry:
        for number in range(5):
            with otel_kit.saga(f"id-{number}", name=f"kind-{number}"):
                pass

    points = telemetry.points(names.SAGA_STARTED)
    assert {"kind-0", "kind-1", "_OTHER"} == {point.labels["name"] for point in points}
    assert sum(point.count for point in points) == 5


def test_a_hop_within_a_saga_carries_it() -> None:
    """A hop made by hand has the saga on its span and in its headers."""
    headers: dict[str, str] = {}
    hop = otel_kit.http_request("GET", carrier=headers, scheme="http", host="billing", port=80)
    with capture() as telemetry, otel_kit.saga("order-17"), otel_kit.call(hop):
        pass

    assert dict(telemetry.span(kind=SpanKind.CLIENT).attributes or {})[names.SAGA_ID] == "order-17"
    assert "saga.id=order-17" in headers["baggage"]


class Unreadable(Exception):
    """Its text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("verb", [otel_kit.step, otel_kit.compensate])
def test_a_step_lets_the_applications_exception_through(verb: Any) -> None:
    """Also one whose `__str__` raises; the step's span ends as failed."""
    with capture() as telemetry, pytest.raises(Unreadable), verb("charge"):
        raise Unreadable

    (span,) = telemetry.spans
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("name", [None, ["order"], 7])
def test_senseless_names_do_not_reach_the_application(name: Any) -> None:
    """Whatever is given as a name is taken by its text."""
    with capture() as telemetry, otel_kit.saga("o-1", name=name) as saga, otel_kit.step(name):
        saga.finish("completed")

    assert telemetry.count(names.SAGA_FINISHED, name=str(name)) == 1
    assert telemetry.span(str(name)).name == str(name)


def test_a_saga_starts_once_in_a_process() -> None:
    """Entered again it is the same flow, and its clock goes on; also after its end."""
    with capture() as telemetry:
        with otel_kit.saga("o-1", name="order"):
            began = time.time()
        again = time.time()
        with otel_kit.saga("o-1", name="order") as saga:
            saga.finish("completed")
        with otel_kit.saga("o-1", name="order"):
            pass

    assert telemetry.count(names.SAGA_STARTED) == 1
    (point,) = telemetry.points(names.SAGA_DURATION)
    assert again - began <= point.sum


def test_a_generator_may_be_driven_by_several_threads(caplog: pytest.LogCaptureFixture) -> None:
    """A saga or step that is left in another context than it was entered in leaves that one be."""

    def parts() -> Iterator[int]:
        with otel_kit.saga("o-1"):
            for number in range(3):
                with otel_kit.step(f"part {number}"):
                    yield number

    with capture() as telemetry:
        before, generator = get_current(), parts()
        found = [copy_context().run(next, generator, None) for _ in range(4)]
        assert before is get_current()

    assert found == [0, 1, 2, None]
    assert len(telemetry.spans) == 3
    assert caplog.records == []


def test_sagas_may_end_in_another_order_than_they_began() -> None:
    """Two generators that take turns put back what was before both."""

    def within(saga_id: str) -> Iterator[None]:
        with otel_kit.saga(saga_id):
            yield

    with capture():
        before = get_current()
        first, second = within("o-1"), within("o-2")
        for each in (first, second, first, second):
            next(each, None)
        assert before is get_current()
