"""circuitbreaker: what it has beside the contract."""

from collections.abc import Iterator

import circuitbreaker
import pytest

from otel_kit import names
from otel_kit.testing import Telemetry, capture


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders", integrations=("circuitbreaker",)) as telemetry:
        yield telemetry


def fail(*_: object) -> None:
    raise ConnectionError


def test_a_fallback_is_a_refused_call(telemetry: Telemetry) -> None:
    """Where another function answers for an open breaker nothing is raised, and yet it counts."""
    breaker = circuitbreaker.CircuitBreaker(1, name="fallback", fallback_function=lambda: "stale")
    guarded = breaker(fail)
    with pytest.raises(ConnectionError):
        guarded()

    assert [guarded(), guarded()] == ["stale", "stale"]
    assert telemetry.count(names.BREAKER_REJECTED, name="fallback") == 2


def test_a_generator_is_refused_when_it_is_started(telemetry: Telemetry) -> None:
    """A guarded generator function is one call, counted as such."""

    def numbers() -> Iterator[int]:
        yield 1
        raise ConnectionError

    guarded = circuitbreaker.CircuitBreaker(1, name="generator")(numbers)
    with pytest.raises(ConnectionError):
        list(guarded())
    with pytest.raises(circuitbreaker.CircuitBreakerError):
        list(guarded())

    assert telemetry.count(names.BREAKER_REJECTED, name="generator") == 1


def test_looking_is_no_call(telemetry: Telemetry) -> None:
    """An application that asks whether a breaker is open is refused nothing."""
    breaker = circuitbreaker.CircuitBreaker(1, name="looked-at")
    with pytest.raises(ConnectionError):
        breaker(fail)()

    assert breaker.opened
    assert breaker in circuitbreaker.CircuitBreakerMonitor.get_open()
    assert telemetry.count(names.BREAKER_REJECTED, name="looked-at") == 0


def test_half_open_is_seen_without_a_call(telemetry: Telemetry) -> None:
    """No event tells of it: it is what the state says when metrics are collected."""
    breaker = circuitbreaker.CircuitBreaker(1, 1e-6, name="lazy")
    with pytest.raises(ConnectionError):
        breaker(fail)()
    [point] = telemetry.points(names.BREAKER_STATE, name="lazy", state="half_open")
    spent = {
        p.labels[names.STATE]: p.sum for p in telemetry.points(names.BREAKER_TIME, name="lazy")
    }

    assert point.sum == 1
    assert spent["open"] <= spent["half_open"], "open no longer than the recovery time"


def test_a_subclass_is_seen(telemetry: Telemetry) -> None:
    """The library is meant to be configured by subclasses."""

    class Impatient(circuitbreaker.CircuitBreaker):  # type: ignore[misc]
        FAILURE_THRESHOLD = 1

    @circuitbreaker.circuit(cls=Impatient, name="subclass")
    def guarded() -> None:
        fail()

    with pytest.raises(ConnectionError):
        guarded()

    assert telemetry.count(names.BREAKER_TRANSITIONS, name="subclass") == 1
