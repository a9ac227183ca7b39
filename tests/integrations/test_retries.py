"""tenacity and stamina: what they have beside the contract."""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import stamina
import stamina.instrumentation
import tenacity
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.harness.retries import Flaky, stamina_decorated, tenacity_call


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders", integrations=("tenacity", "stamina")) as telemetry:
        yield telemetry


def outcomes(telemetry: Telemetry) -> dict[str, int]:
    points = telemetry.points(names.RETRY_ATTEMPTS)
    return {str(point.labels[names.OUTCOME]): point.count for point in points}


@pytest.mark.parametrize(
    ("retrying", "operation"),
    [
        (lambda: tenacity.Retrying(name="charge")(Flaky(0)), "charge"),
        (lambda: tenacity.Retrying()(partial(sorted, [])), "sorted"),
        (lambda: tenacity.Retrying()(Flaky(0)), "Flaky"),
        (lambda: one_attempt(), "unknown"),
    ],
)
def test_what_is_retried_has_a_bounded_name(
    retrying: Callable[[], Any], operation: str, telemetry: Telemetry
) -> None:
    """The name that was given, else the function's; never its arguments."""
    retrying()
    found = {point.labels[names.OPERATION] for point in telemetry.points(names.RETRY_ATTEMPTS)}

    assert found == {operation}
    assert telemetry.spans[0].name == f"attempt {operation}"


def one_attempt() -> None:
    for attempt in tenacity.Retrying():
        with attempt:
            pass


def test_an_attempt_entered_twice_is_one(telemetry: Telemetry) -> None:
    """Nothing is left current by an application that enters the same block again."""
    for attempt in tenacity.Retrying():
        with attempt, attempt:
            pass

    assert [span.name for span in telemetry.spans] == ["attempt unknown", "retry unknown"]
    assert not trace.get_current_span().get_span_context().is_valid


async def test_stamina_names_its_functions(telemetry: Telemetry) -> None:
    """The qualified name of the decorated function, as stamina's own hooks tell it."""
    await stamina_decorated(Flaky(0), 1)
    [point] = telemetry.points(names.RETRY_ATTEMPTS)

    assert str(point.labels[names.OPERATION]).endswith("stamina_decorated.<locals>.decorated")


def test_results_that_are_not_wanted_are_retried(telemetry: Telemetry) -> None:
    """Also in a loop that says its result only after the block, as tenacity's manual has it."""
    result = 0
    for attempt in tenacity.Retrying(retry=tenacity.retry_if_result(lambda found: found < 3)):
        with attempt:
            result += 1
        attempt.retry_state.set_result(result)

    assert outcomes(telemetry) == {"retried": 2, "success": 1}


def test_a_result_that_never_comes_is_given_up(telemetry: Telemetry) -> None:
    """Where no attempt failed, and still the call did."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(2), retry=tenacity.retry_if_result(lambda found: True)
    )
    with pytest.raises(tenacity.RetryError):
        retrying(lambda: 1)

    assert outcomes(telemetry) == {"retried": 1, "gave_up": 1}


def test_a_loop_left_early_is_counted(telemetry: Telemetry) -> None:
    """Nobody asks what the last attempt came to: it is told when the loop's state is gone."""

    def leave() -> None:
        for attempt in tenacity.Retrying(retry=tenacity.retry_if_result(bool)):
            with attempt:
                break

    leave()
    deadline = time.monotonic() + 10
    while not outcomes(telemetry) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert outcomes(telemetry) == {"success": 1}


async def test_the_users_hooks_are_called_as_ever(telemetry: Telemetry) -> None:
    """stamina's hooks and tenacity's callbacks stay those that the application set."""
    heard: list[str] = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: heard.append(details.name)])
    try:
        await stamina_decorated(Flaky(1), 2)
        assert len(stamina.instrumentation.get_on_retry_hooks()) == 1
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    tenacity.Retrying(
        before=lambda state: heard.append(f"before {state.attempt_number}"),
        after=lambda state: heard.append(f"after {state.attempt_number}"),
    )(Flaky(1))

    assert heard[1:] == ["before 1", "after 1", "before 2"]


def test_cancelled_attempts_are_no_errors(telemetry: Telemetry) -> None:
    """A cancelled task leaves the loop with its cancellation; the spans say so."""

    async def main() -> None:
        started = asyncio.Event()

        async def work() -> None:
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(tenacity.AsyncRetrying()(work))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert {span.attributes[names.SPAN_ERROR_CLASS] for span in telemetry.spans} == {"cancelled"}
    assert {span.status.status_code for span in telemetry.spans} == {StatusCode.UNSET}


@pytest.mark.parametrize("library", ["tenacity", "stamina"])
async def test_each_library_is_seen_alone(library: str) -> None:
    """stamina is made of tenacity, and yet each can be instrumented without the other."""
    with capture("orders", integrations=(library,)) as telemetry:
        await tenacity_call(Flaky(0), 1)
        await stamina_decorated(Flaky(0), 1)
        await stamina_decorated(Flaky(0), 1)

    assert outcomes(telemetry) == {"success": {"tenacity": 1, "stamina": 2}[library]}
