"""A service with sagas of every kind, each over two traces that begin above it.

Run as ``python sagas_program.py HEALTHY``: so many healthy ones, and one of each other kind.  It is
the real kit: nothing here knows how the Collector tells them apart.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import circuitbreaker
from opentelemetry import trace

import otel_kit


def declined() -> None:
    """A step fails; the service does not mind."""
    with suppress(ValueError), otel_kit.step("charge"):
        raise ValueError("declined")


def undone() -> None:
    """A step is undone."""
    with otel_kit.compensate("reserve"):
        pass


def slow() -> None:
    """A step takes longer than the Collector of the tests thinks right."""
    with otel_kit.step("charge"):
        time.sleep(0.6)


@cache
def bank() -> Callable[[], object]:
    """The bank is away; its breaker has a fallback."""

    def away() -> None:
        raise ConnectionError

    return circuitbreaker.CircuitBreaker(1, name="bank", fallback_function=lambda: "later")(away)


def refused() -> None:
    """The breaker is open, and its fallback answers: nothing fails."""
    with otel_kit.step("charge"):
        assert bank()() == "later"


def given_up() -> None:
    """The saga ends as failed, with no error anywhere."""
    with otel_kit.saga("failed", "order") as saga:
        saga.finish("failed")


KINDS = {
    "error": declined,
    "compensation": undone,
    "breaker": refused,
    "slow": slow,
    "failed": given_up,
}


def main(healthy: int) -> None:
    """Place them all."""
    kit = otel_kit.instrument("sagas")
    with suppress(ConnectionError):
        bank()()  # outside any saga: the breaker opens
    for number in range(healthy):
        place(f"healthy-{number}", lambda: None)
    for kind, happens in KINDS.items():
        place(kind, happens)
    kit.shutdown()


def place(saga_id: str, happens: Callable[[], None]) -> None:
    """What happens, happens in the second of the saga's two traces."""
    tracer = trace.get_tracer("sagas")
    for part in ("first", "second"):
        with (
            tracer.start_as_current_span(f"{part} caller", attributes={"of": saga_id}),
            tracer.start_as_current_span("request"),
            otel_kit.saga(saga_id, "order"),
            otel_kit.step("reserve"),
        ):
            if part == "second":
                happens()


if __name__ == "__main__":
    main(int(sys.argv[1]))
