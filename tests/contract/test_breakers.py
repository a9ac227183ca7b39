"""What the kit promises of every circuit breaker library, held against the real ones."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

import otel_kit
from otel_kit import ErrorClass, Hop, names
from otel_kit.errors import classify
from otel_kit.testing import Telemetry, capture
from tests.contract.harness import BREAKERS
from tests.contract.harness.breakers import AT_ONCE, BreakerHarness, Down

LONG = 60.0
Type = type[BreakerHarness]
every_breaker = pytest.mark.parametrize("breaker", BREAKERS)


@pytest.fixture
def telemetry(breaker: Type) -> Iterator[Telemetry]:
    with capture("orders", integrations=(breaker.library,)) as telemetry:
        yield telemetry


def states(telemetry: Telemetry, name: str) -> dict[str, float]:
    """The one-hot gauge, by state."""
    points = telemetry.points(names.BREAKER_STATE, name=name, server=name)
    return {point.labels[names.STATE]: point.sum for point in points}


def seconds(telemetry: Telemetry, name: str) -> dict[str, float]:
    """The time in each state."""
    points = telemetry.points(names.BREAKER_TIME, name=name, server=name)
    return {point.labels[names.STATE]: point.sum for point in points}


def transitions(telemetry: Telemetry, name: str) -> dict[tuple[str, str], int]:
    """How often it went from one state into another."""
    points = telemetry.points(names.BREAKER_TRANSITIONS, name=name, server=name)
    return {(p.labels[names.FROM], p.labels[names.TO]): p.count for p in points}


def told(span: ReadableSpan) -> list[dict[str, Any]]:
    """The transitions among the events of a span."""
    found = [event for event in span.events if event.name == names.EVENT_BREAKER_TRANSITION]
    return [dict(event.attributes or {}) for event in found]


@every_breaker
async def test_a_new_breaker_is_closed(breaker: Type, telemetry: Telemetry) -> None:
    """Before anything fails the one-hot gauge says closed, and nothing else."""
    tested = breaker(LONG)
    await tested.call(lambda: None)

    assert states(telemetry, tested.name) == {"closed": 1, "half_open": 0, "open": 0}
    assert transitions(telemetry, tested.name) == {}
    assert telemetry.count(names.BREAKER_REJECTED, name=tested.name) == 0


@every_breaker
async def test_an_opening_is_counted(breaker: Type, telemetry: Telemetry) -> None:
    """Failures up to the threshold make one transition, and the gauge says open."""
    tested = breaker(LONG)
    await tested.fail(tested.threshold)

    assert states(telemetry, tested.name) == {"closed": 0, "half_open": 0, "open": 1}
    assert transitions(telemetry, tested.name) == {("closed", "open"): 1}


@every_breaker
async def test_an_opening_shorter_than_a_scrape_is_not_missed(
    breaker: Type, telemetry: Telemetry
) -> None:
    """A breaker that opened and closed again before anybody looked has time in every state."""
    tested = breaker(AT_ONCE)
    await tested.fail(tested.threshold)
    await tested.call(lambda: None)
    spent = seconds(telemetry, tested.name)

    assert states(telemetry, tested.name) == {"closed": 1, "half_open": 0, "open": 0}
    assert min(spent["open"], spent["half_open"], spent["closed"]) > 0


@every_breaker
async def test_time_in_a_state_goes_on_between_collections(
    breaker: Type, telemetry: Telemetry
) -> None:
    """Of two collections the later one has more seconds in the present state, and only there."""
    tested = breaker(LONG)
    await tested.fail(tested.threshold)
    first, second = (seconds(telemetry, tested.name) for _ in range(2))

    assert second["open"] > first["open"] > 0
    assert (second["closed"], second["half_open"]) == (first["closed"], first["half_open"])


@every_breaker
async def test_a_trial_call_is_made_half_open(breaker: Type, telemetry: Telemetry) -> None:
    """While a trial call is under way the gauge says half-open; its success closes the breaker."""
    tested = breaker(AT_ONCE)
    await tested.fail(tested.threshold)
    during = await tested.call(lambda: states(telemetry, tested.name))

    assert during == {"closed": 0, "half_open": 1, "open": 0}
    assert transitions(telemetry, tested.name) == {
        ("closed", "open"): 1,
        ("open", "half_open"): 1,
        ("half_open", "closed"): 1,
    }


@every_breaker
async def test_a_failed_trial_opens_it_again(breaker: Type, telemetry: Telemetry) -> None:
    """A trial call that fails is no refused call; the breaker is open once more."""
    tested = breaker(AT_ONCE)
    await tested.fail(tested.threshold + 1)

    assert transitions(telemetry, tested.name)["half_open", "open"] == 1
    assert telemetry.count(names.BREAKER_REJECTED, name=tested.name) == 0


@every_breaker
async def test_a_refused_call_is_an_error_on_the_edge(breaker: Type, telemetry: Telemetry) -> None:
    """Each refused call is counted, and measured on the client's side as `breaker_open`."""
    tested = breaker(LONG)
    await tested.fail(tested.threshold)
    refused = await tested.fail(3)
    edge = {names.CLIENT: "orders", names.SERVER: tested.name, names.SIDE: "client"}
    [point] = telemetry.points(names.HOP_DURATION, **edge)

    assert [type(error) for error in refused] == [tested.open_error] * 3
    assert {classify(error) for error in refused} == {ErrorClass.BREAKER_OPEN}
    assert telemetry.count(names.BREAKER_REJECTED, name=tested.name, server=tested.name) == 3
    assert (point.count, point.sum, point.labels[names.ERROR_CLASS]) == (3, 0.0, "breaker_open")
    assert telemetry.spans == []


@every_breaker
async def test_a_transition_is_told_in_the_hop_that_caused_it(
    breaker: Type, telemetry: Telemetry
) -> None:
    """The span that is current when the breaker opens has an event, the one before has none."""
    tested = breaker(LONG)
    for operation in ("first", "second"):
        with otel_kit.serve(Hop(system="http", operation=operation)):
            await tested.fail(1)

    assert told(telemetry.span("first")) == []
    assert told(telemetry.span("second")) == [{"name": tested.name, "from": "closed", "to": "open"}]


@every_breaker
async def test_the_caller_gets_the_very_same_error(breaker: Type, telemetry: Telemetry) -> None:
    """An exception of the guarded function that opens nothing comes out as it went in."""
    error = Down("as it is")

    assert await breaker(LONG).failure(error) is error


@every_breaker
async def test_the_caller_gets_the_very_same_result(breaker: Type, telemetry: Telemetry) -> None:
    """What the guarded function returns is handed on."""
    result = object()

    assert await breaker(LONG).call(lambda: result) is result


@every_breaker
async def test_a_breaker_made_before_is_seen(breaker: Type) -> None:
    """One that stood open before `instrument()` is reported as open, without being called."""
    tested = breaker(LONG)
    await tested.fail(tested.threshold)
    with capture("orders", integrations=(breaker.library,)) as telemetry:
        assert states(telemetry, tested.name) == {"closed": 0, "half_open": 0, "open": 1}
        assert transitions(telemetry, tested.name) == {}


@every_breaker
async def test_a_breaker_that_is_gone_is_not_reported(breaker: Type, telemetry: Telemetry) -> None:
    """The kit does not keep a breaker alive, and says nothing of the state of a dead one."""
    tested = breaker(LONG)
    await tested.fail(tested.threshold)
    name, before = tested.name, states(telemetry, tested.name)
    del tested
    gc.collect()

    assert states(telemetry, name) == (before if breaker.kept else {})
    assert telemetry.count(names.BREAKER_TRANSITIONS, name=name) == 1


@every_breaker
async def test_fifty_callers_at_once(breaker: Type, telemetry: Telemetry) -> None:
    """However many fail or are refused at the same time: one opening, and every refusal counts."""

    def work() -> None:
        raise Down

    tested = breaker(LONG)
    await asyncio.gather(*(tested.call_elsewhere(work) for _ in range(50)), return_exceptions=True)
    before = telemetry.count(names.BREAKER_REJECTED, name=tested.name)
    await asyncio.gather(*(tested.call_elsewhere(work) for _ in range(50)), return_exceptions=True)

    assert transitions(telemetry, tested.name) == {("closed", "open"): 1}
    assert telemetry.count(names.BREAKER_REJECTED, name=tested.name) == before + 50


@every_breaker
async def test_breakers_of_one_name_are_one_series(breaker: Type, telemetry: Telemetry) -> None:
    """Of two breakers that bear the same name the worse state is reported."""
    tested = breaker(LONG)
    other = breaker(LONG, tested.name)
    await other.call(lambda: None)
    await tested.fail(tested.threshold)

    assert states(telemetry, tested.name) == {"closed": 0, "half_open": 0, "open": 1}
