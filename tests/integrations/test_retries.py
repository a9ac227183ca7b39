"""tenacity and stamina: attempts as numbered spans under one, counted by server and outcome."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from inspect import getattr_static
from typing import Any

import pytest
import stamina
import stamina.instrumentation
import tenacity
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import otel_kit
from otel_kit import Hop, names
from otel_kit.integrations import load
from otel_kit.testing import Telemetry, capture

AT_ONCE: dict[str, Any] = {"wait_initial": 0, "wait_max": 0, "wait_jitter": 0}
Run = Callable[["Flaky", int], Any]


class Flaky:
    """Fails a number of times, then returns itself; `errors` are what it raised."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.errors: list[ConnectionError] = []
        self.spans: list[trace.SpanContext] = []

    def __call__(self) -> "Flaky":
        self.spans.append(trace.get_current_span().get_span_context())
        if len(self.errors) < self.failures:
            self.errors.append(ConnectionError(f"failure {len(self.errors) + 1}"))
            raise self.errors[-1]
        return self

    async def later(self) -> "Flaky":
        await asyncio.sleep(0)
        return self()


def policy(attempts: int) -> dict[str, Any]:
    return {"stop": tenacity.stop_after_attempt(attempts), "reraise": True}


async def tenacity_call(work: Flaky, attempts: int) -> Any:
    return tenacity.Retrying(**policy(attempts))(work)


async def tenacity_decorated(work: Flaky, attempts: int) -> Any:
    @tenacity.retry(**policy(attempts))
    def decorated() -> Any:
        return work()

    return decorated()


async def tenacity_decorated_async(work: Flaky, attempts: int) -> Any:
    @tenacity.retry(**policy(attempts))
    async def decorated() -> Any:
        return await work.later()

    return await decorated()


async def tenacity_loop(work: Flaky, attempts: int) -> Any:
    for attempt in tenacity.Retrying(**policy(attempts)):
        with attempt:
            return work()
    return None


async def tenacity_loop_async(work: Flaky, attempts: int) -> Any:
    async for attempt in tenacity.AsyncRetrying(**policy(attempts)):
        with attempt:
            return await work.later()
    return None


async def tenacity_loop_to_its_end(work: Flaky, attempts: int) -> Any:
    for attempt in tenacity.Retrying(**policy(attempts)):
        with attempt:
            result = work()
    return result


async def stamina_decorated(work: Flaky, attempts: int) -> Any:
    @stamina.retry(on=ConnectionError, attempts=attempts, **AT_ONCE)
    def decorated() -> Any:
        return work()

    return decorated()


async def stamina_decorated_async(work: Flaky, attempts: int) -> Any:
    @stamina.retry(on=ConnectionError, attempts=attempts, **AT_ONCE)
    async def decorated() -> Any:
        return await work.later()

    return await decorated()


async def stamina_caller(work: Flaky, attempts: int) -> Any:
    return stamina.RetryingCaller(attempts=attempts, **AT_ONCE)(ConnectionError, work)


async def stamina_loop_async(work: Flaky, attempts: int) -> Any:
    async for attempt in stamina.retry_context(on=ConnectionError, attempts=attempts, **AT_ONCE):
        with attempt:
            return await work.later()
    return None


FORMS: list[Callable[[Flaky, int], Awaitable[Any]]] = [
    tenacity_call,
    tenacity_decorated,
    tenacity_decorated_async,
    tenacity_loop,
    tenacity_loop_async,
    tenacity_loop_to_its_end,
    stamina_decorated,
    stamina_decorated_async,
    stamina_caller,
    stamina_loop_async,
]
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders", integrations=("tenacity", "stamina")) as telemetry:
        yield telemetry


def outcomes(telemetry: Telemetry) -> dict[str, int]:
    points = telemetry.points(names.RETRY_ATTEMPTS)
    return {str(point.labels[names.OUTCOME]): point.count for point in points}


def attempts(telemetry: Telemetry) -> list[Any]:
    return [span for span in telemetry.spans if names.SPAN_RETRY_ATTEMPT in (span.attributes or {})]


@every_form
async def test_attempts_are_numbered_under_one_span(form: Any, telemetry: Telemetry) -> None:
    """Two failures and a success: three spans, each current in its attempt, and one above them."""
    work = Flaky(2)
    result = await form(work, 5)
    spans = attempts(telemetry)
    [call] = [span for span in telemetry.spans if span not in spans]

    assert result is work
    assert [span.attributes[names.SPAN_RETRY_ATTEMPT] for span in spans] == [1, 2, 3]
    assert [span.context.span_id for span in spans] == [span.span_id for span in work.spans]
    assert {span.parent.span_id for span in spans} == {call.context.span_id}
    assert [span.status.status_code for span in spans] == [StatusCode.ERROR] * 2 + [
        StatusCode.UNSET
    ]
    assert call.attributes == {names.SPAN_RETRY_OUTCOME: "success"}
    assert outcomes(telemetry) == {"retried": 2, "success": 1}


@every_form
async def test_who_gives_up_raises_the_very_same_error(form: Any, telemetry: Telemetry) -> None:
    """The last attempt's error reaches the caller; the call is marked with its class."""
    work = Flaky(9)
    with pytest.raises(ConnectionError) as caught:
        await form(work, 3)
    [call] = [span for span in telemetry.spans if span not in attempts(telemetry)]

    assert caught.value is work.errors[-1]
    assert len(work.errors) == 3
    assert (call.attributes or {})[names.SPAN_ERROR_CLASS] == "connection"
    assert call.status.status_code is StatusCode.ERROR
    assert outcomes(telemetry) == {"retried": 2, "gave_up": 1}


@every_form
async def test_the_context_is_as_before(form: Any, telemetry: Telemetry) -> None:
    """Between attempts and afterwards the caller's span is the current one."""
    with trace.get_tracer("test").start_as_current_span("caller") as caller:
        await form(Flaky(1), 3)

        assert trace.get_current_span() is caller


@every_form
async def test_the_server_is_whom_the_attempt_called(form: Any, telemetry: Telemetry) -> None:
    """The hop made within an attempt says which edge the attempt belongs to."""

    class Calling(Flaky):
        def __call__(self) -> "Flaky":
            with otel_kit.call(Hop(system="http", operation="POST", destination="bank:443")):
                return super().__call__()

    await form(Calling(1), 3)

    assert telemetry.count(names.RETRY_ATTEMPTS, server="bank:443") == 2


@pytest.mark.parametrize("form", [tenacity_call, stamina_decorated])
async def test_fifty_threads_do_not_mix(form: Any, telemetry: Telemetry) -> None:
    """Calls at the same time have a span of their own each, and all are counted."""
    with ThreadPoolExecutor(50) as pool:
        works = [Flaky(1) for _ in range(50)]
        list(pool.map(lambda work: asyncio.run(form(work, 3)), works))

    assert outcomes(telemetry) == {"retried": 50, "success": 50}
    assert len({span.parent.span_id for span in attempts(telemetry)}) == 50


async def test_fifty_tasks_do_not_mix(telemetry: Telemetry) -> None:
    """The same for tasks of one event loop."""
    works = [Flaky(1) for _ in range(50)]
    await asyncio.gather(*(tenacity_decorated_async(work, 3) for work in works))

    assert outcomes(telemetry) == {"retried": 50, "success": 50}
    for work in works:
        assert len({span.trace_id for span in work.spans}) == 1


@pytest.mark.parametrize(
    ("retrying", "operation"),
    [
        (lambda: tenacity.Retrying(name="charge")(Flaky(0)), "charge"),
        (lambda: tenacity.Retrying()(partial(sorted, [])), "sorted"),
        (lambda: tenacity.Retrying()(Flaky(0)), "Flaky"),
        (lambda: [attempt.__enter__() for attempt in one_attempt()], "unknown"),
    ],
)
def test_what_is_retried_has_a_bounded_name(
    retrying: Callable[[], Any], operation: str, telemetry: Telemetry
) -> None:
    """The name that was given, else the function's; never its arguments."""
    retrying()
    found = {point.labels[names.OPERATION] for point in telemetry.points(names.RETRY_ATTEMPTS)}

    assert found <= {operation}
    assert telemetry.spans == [] or telemetry.spans[0].name == f"attempt {operation}"


def one_attempt() -> Iterator[Any]:
    for attempt in tenacity.Retrying():
        yield attempt
        with attempt:
            pass


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


@pytest.mark.parametrize("library", ["tenacity", "stamina"])
def test_uninstalling_restores_the_very_same_objects(library: str) -> None:
    """Every function that was patched is put back."""
    patches = load(library)._patches
    before = [_patched(patch.target) for patch in patches]
    with capture(integrations=(library,)):
        within = [_patched(patch.target) for patch in patches]
    after = [_patched(patch.target) for patch in patches]

    assert all(ours is not own for ours, own in zip(within, before, strict=True))
    assert all(back is own for back, own in zip(after, before, strict=True))


def _patched(target: str) -> object:
    module, _, path = target.partition(":")
    found: object = __import__(module, fromlist=["_"])
    for part in path.split("."):
        found = getattr_static(found, part)
    return found
