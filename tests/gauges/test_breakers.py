"""`watch_breaker()`: breakers of the application's own."""

import gc
from collections.abc import Iterator
from enum import Enum, StrEnum

import pytest
from opentelemetry import trace

import otel_kit
from otel_kit import Hop, names
from otel_kit.gauges.breakers import state_of
from otel_kit.testing import Telemetry, capture


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Own:
    """A breaker of somebody's own."""

    __slots__ = ("__weakref__", "listeners", "name", "state")

    def __init__(self, name: str = "bank") -> None:
        self.name = name
        self.state = State.CLOSED
        self.listeners: list[object] = []

    def become(self, state: State) -> None:
        before, self.state = self.state, state
        for listener in self.listeners:
            listener(self, before, state)  # type: ignore[operator]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders") as telemetry:
        yield telemetry


def state(telemetry: Telemetry, **labels: str) -> list[str]:
    """The states that are 1."""
    points = telemetry.points(names.BREAKER_STATE, **labels)
    return [str(point.labels[names.STATE]) for point in points if point.sum]


def test_an_object_is_read(telemetry: Telemetry) -> None:
    """Its name and state are taken as they are at each collection."""
    breaker = Own()
    breaker.listeners = ()  # type: ignore[assignment]
    otel_kit.watch_breaker(breaker)
    before = state(telemetry, name="bank", server="bank")
    breaker.state = State.OPEN

    assert (before, state(telemetry, name="bank", server="bank")) == (["closed"], ["open"])


def test_its_listeners_tell_of_every_change(telemetry: Telemetry) -> None:
    """What happened between two collections is told by the breaker itself, in the hop it was in."""
    breaker = Own()
    otel_kit.watch_breaker(breaker, server="bank-api")
    with otel_kit.serve(Hop(system="http", operation="POST /pay")):
        breaker.become(State.OPEN)
        breaker.become(State.HALF_OPEN)
        breaker.become(State.CLOSED)
    events = [dict(event.attributes or {}) for event in telemetry.span("POST /pay").events]

    assert [event["to"] for event in events] == ["open", "half_open", "closed"]
    assert telemetry.count(names.BREAKER_TRANSITIONS, server="bank-api") == 3
    assert telemetry.points(names.BREAKER_TIME, server="bank-api", state="open")[0].sum > 0


def test_a_name_is_enough(telemetry: Telemetry) -> None:
    """The application itself tells of transitions and of refused calls."""
    breaker = otel_kit.watch_breaker("by-name", server="bank")
    breaker.entered("open")
    breaker.rejected()

    assert state(telemetry, name="by-name") == ["open"]
    assert telemetry.count(names.BREAKER_REJECTED, name="by-name", server="bank") == 1
    assert telemetry.count(names.HOP_DURATION, server="bank", error_class="breaker_open") == 1


def test_a_refused_call_is_told_by_the_span_it_was_made_in(telemetry: Telemetry) -> None:
    """So that a trace with one can be found and kept, whatever took the call's place."""
    breaker = otel_kit.watch_breaker("by-name", server="bank")
    with otel_kit.serve(Hop(system="http", operation="POST /pay")):
        breaker.rejected()
    [event] = telemetry.span("POST /pay").events

    assert event.name == names.EVENT_BREAKER_REJECTED
    assert dict(event.attributes or {}) == {names.NAME: "by-name"}


def test_a_function_may_tell_the_state(telemetry: Telemetry) -> None:
    """It is asked at each collection."""
    said = ["closed"]
    otel_kit.watch_breaker("asked", state=lambda: said[-1])
    said.append("half-open")

    assert state(telemetry, name="asked") == ["half_open"]
    assert telemetry.count(names.BREAKER_TRANSITIONS, name="asked") == 1


def test_watching_twice_is_watching_once(telemetry: Telemetry) -> None:
    """The second time may name the server: the series goes on under it."""
    breaker = Own()
    first = otel_kit.watch_breaker(breaker)
    again = otel_kit.watch_breaker(breaker, server="bank-api")
    breaker.become(State.OPEN)

    assert again is first
    assert state(telemetry, name="bank") == ["open"]
    assert state(telemetry, name="bank", server="bank-api") == ["open"]


def test_it_may_be_watched_before_instrument() -> None:
    """A breaker that the application watches early is reported to whoever comes."""
    breaker = Own()
    otel_kit.watch_breaker(breaker)
    breaker.become(State.OPEN)
    for _ in range(2):
        with capture("orders") as telemetry:
            assert state(telemetry, name="bank") == ["open"]


def test_the_peers_table_names_the_server() -> None:
    """An address is called what `OTEL_KIT_PEERS` calls it, as in every other metric."""
    with capture("orders", peers={"10.0.0.7": "bank"}) as telemetry:
        breaker = Own("by-address")
        otel_kit.watch_breaker(breaker, server="10.0.0.7:443")

        assert state(telemetry, name="by-address", server="bank") == ["closed"]


def test_names_are_bounded() -> None:
    """All breakers past the limit are one series, which says so; the worst state counts."""
    with capture("orders", max_peers=3) as telemetry:
        breakers = [Own(f"breaker-{number}") for number in range(10)]
        for breaker in breakers:
            otel_kit.watch_breaker(breaker, server="bank")
        breakers[7].become(State.OPEN)
        points = telemetry.points(names.BREAKER_STATE, state="closed")

        assert len({point.labels[names.NAME] for point in points}) == 4
        assert state(telemetry, name=names.OVERFLOW) == ["open"]


def test_a_breaker_is_not_kept_alive(telemetry: Telemetry) -> None:
    """Once it is gone nothing is said of its state; its time so far stays."""
    breaker = Own("short-lived")
    otel_kit.watch_breaker(breaker)
    breaker.become(State.OPEN)
    del breaker
    gc.collect()

    assert state(telemetry, name="short-lived") == []
    assert telemetry.points(names.BREAKER_TIME, name="short-lived", state="open")[0].sum > 0


def test_outside_telemetry_nothing_happens() -> None:
    """Without `instrument()` a watched breaker works as ever."""
    breaker = Own()
    watched = otel_kit.watch_breaker(breaker)
    breaker.become(State.OPEN)
    watched.rejected()

    assert watched.state == "open"
    assert not trace.get_current_span().is_recording()


def test_an_object_without_state_is_refused() -> None:
    """It could never be reported: the error says what to give."""
    with pytest.raises(TypeError, match="state=callable"):
        otel_kit.watch_breaker(object())


def test_a_function_that_fails_costs_only_the_reading() -> None:
    """The breaker keeps the state it had, and other metrics are collected."""

    def ask() -> str:
        if broken:
            raise ConnectionError("the store of states is down")
        return "open"

    broken: list[bool] = []
    with capture("orders", strict=False) as telemetry:
        otel_kit.watch_breaker("broken", state=ask)
        broken.append(True)

        assert state(telemetry, name="broken") == ["open"]
        broken.clear()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("CLOSED", "closed"),
        ("opened", "open"),
        ("half-opened", "half_open"),
        (State.HALF_OPEN, "half_open"),
        (Enum("Word", ["OPEN"])(1), "open"),
    ],
)
def test_every_usual_word_is_understood(said: object, meant: str) -> None:
    """Libraries spell the three states in many ways."""
    assert state_of(said) == meant


def test_another_word_is_refused() -> None:
    """The error names the three states."""
    with pytest.raises(ValueError, match="closed, open or half_open"):
        state_of("ajar")
