"""What the kit promises of every library that retries, held against the real ones."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import otel_kit
from otel_kit import Hop, names
from otel_kit.testing import Telemetry, capture
from tests.contract.harness import RETRIES
from tests.contract.harness.retries import Flaky, RetryHarness

every_form = pytest.mark.parametrize("form", RETRIES, ids=str)


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
async def test_attempts_are_numbered(form: RetryHarness, telemetry: Telemetry) -> None:
    """Two failures and a success: three spans, each current in its attempt, and one above them."""
    work = Flaky(2)
    result = await form.call(work, 5)
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
async def test_giving_up_raises_the_same_error(form: RetryHarness, telemetry: Telemetry) -> None:
    """The last attempt's error reaches the caller; the call is marked with its class."""
    work = Flaky(9)
    with pytest.raises(ConnectionError) as caught:
        await form.call(work, 3)
    [call] = [span for span in telemetry.spans if span not in attempts(telemetry)]

    assert caught.value is work.errors[-1]
    assert len(work.errors) == 3
    assert (call.attributes or {})[names.SPAN_ERROR_CLASS] == "connection"
    assert call.status.status_code is StatusCode.ERROR
    assert outcomes(telemetry) == {"retried": 2, "gave_up": 1}


@every_form
async def test_the_context_is_as_before(form: RetryHarness, telemetry: Telemetry) -> None:
    """Between attempts and afterwards the caller's span is the current one."""
    with trace.get_tracer("test").start_as_current_span("caller") as caller:
        await form.call(Flaky(1), 3)

        assert trace.get_current_span() is caller


@every_form
async def test_the_server_is_whom_it_called(form: RetryHarness, telemetry: Telemetry) -> None:
    """The hop made within an attempt says which edge the attempt belongs to."""

    class Calling(Flaky):
        def __call__(self) -> "Flaky":
            with otel_kit.call(Hop(system="http", operation="POST", destination="bank:443")):
                return super().__call__()

    await form.call(Calling(1), 3)

    assert telemetry.count(names.RETRY_ATTEMPTS, server="bank:443") == 2


@every_form
async def test_fifty_threads_do_not_mix(form: RetryHarness, telemetry: Telemetry) -> None:
    """Calls at the same time have a span of their own each, and all are counted."""

    async def run(work: Flaky) -> None:
        await form.call(work, 3)

    with ThreadPoolExecutor(50) as pool:
        works = [Flaky(1) for _ in range(50)]
        list(pool.map(lambda work: asyncio.run(run(work)), works))

    assert outcomes(telemetry) == {"retried": 50, "success": 50}
    assert len({span.parent.span_id for span in attempts(telemetry)}) == 50


@every_form
async def test_fifty_tasks_do_not_mix(form: RetryHarness, telemetry: Telemetry) -> None:
    """The same for tasks of one event loop."""
    works = [Flaky(1) for _ in range(50)]
    await asyncio.gather(*(form.call(work, 3) for work in works))

    assert outcomes(telemetry) == {"retried": 50, "success": 50}
    for work in works:
        assert len({span.trace_id for span in work.spans}) == 1
