"""`watch_queue()`: gauges from the application's own functions, which may block or fail."""

import asyncio
import gc
import math
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.exceptions import InvalidSetting
from otel_kit.gauges import queues
from otel_kit.testing import Telemetry, capture
from tests.gauges.waiting import until

LABELS = {"transport": "outbox", "destination": "orders", "group": "relay"}
FAST = 50.0
"""Milliseconds between two samples."""


@pytest.fixture(autouse=True)
def nothing_else_is_watched() -> None:
    """Consumers that another test has dropped are not only forgotten, but gone."""
    gc.collect()


def value(telemetry: Telemetry, metric: str, **labels: Any) -> float | None:
    points = telemetry.points(metric, **labels)
    assert len(points) <= 1
    return points[0].sum if points else None


def test_the_functions_values_are_the_gauges() -> None:
    """Messages, messages and seconds, with transport, destination and group."""
    with (
        capture(metric_interval=FAST) as telemetry,
        otel_kit.watch_queue(
            "orders", depth=lambda: 7, lag=lambda: 9, lag_time=lambda: 1.5,
            transport="outbox", group="relay",
        ),
    ):  # fmt: skip
        until(lambda: value(telemetry, names.QUEUE_LAG_TIME, **LABELS) == 1.5)
        (depth,) = telemetry.points(names.QUEUE_DEPTH)
        (lag,) = telemetry.points(names.QUEUE_LAG)

    assert (depth.sum, dict(depth.labels)) == (7, LABELS)
    assert (lag.sum, dict(lag.labels)) == (9, LABELS)


def test_only_what_is_given_is_reported() -> None:
    """A queue whose lag nobody knows has no lag."""
    with capture(metric_interval=FAST) as telemetry, otel_kit.watch_queue("a", depth=lambda: 1):
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 1)
        assert telemetry.points(names.QUEUE_LAG) == []


def test_values_follow_the_queue() -> None:
    """Every sample asks anew."""
    waiting = [1, 2, 3]
    with (
        capture(metric_interval=FAST) as telemetry,
        otel_kit.watch_queue("a", depth=lambda: len(waiting)),
    ):
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 3)
        waiting.clear()
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 0)


def test_a_stopped_watch_ends_its_series() -> None:
    """Nothing is reported of a queue that is watched no more, and stopping twice is fine."""
    with capture(metric_interval=FAST) as telemetry:
        watch = otel_kit.watch_queue("a", depth=lambda: 1)
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 1)
        watch.stop()
        watch.stop()

        assert telemetry.points(names.QUEUE_DEPTH) == []


def test_a_broker_that_does_not_answer_costs_nothing_but_its_sample() -> None:
    """Collecting does not wait, other queues are read, and the old value is not shown as new."""
    hang, hanging = threading.Event(), threading.Event()

    def depth() -> int:
        if first:
            return first.pop()
        hanging.set()
        hang.wait(30)
        return 0

    first = [1]
    with (
        capture(metric_interval=FAST) as telemetry,
        otel_kit.watch_queue("stuck", depth=depth),
        otel_kit.watch_queue("well", depth=lambda: 2),
    ):
        assert hanging.wait(10)
        until(lambda: value(telemetry, names.QUEUE_DEPTH, destination="stuck") is None)
        until(lambda: value(telemetry, names.QUEUE_DEPTH, destination="well") == 2)
        hang.set()
        until(lambda: value(telemetry, names.QUEUE_DEPTH, destination="stuck") == 0)


@pytest.mark.parametrize("wrong", [None, -1, math.nan, math.inf])
def test_what_is_no_number_of_messages_is_not_reported(wrong: float | None) -> None:
    """None, negative and infinite values leave a gap."""
    said: list[float | None] = [5, wrong]
    with (
        capture(metric_interval=FAST) as telemetry,
        otel_kit.watch_queue("a", depth=lambda: said[0]),
    ):
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 5)
        said.pop(0)
        until(lambda: value(telemetry, names.QUEUE_DEPTH) is None)


def test_a_function_that_raises_is_logged_once_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It harms neither the other functions nor the next sample."""
    calls = []

    def depth() -> int:
        calls.append(1)
        if len(calls) < 4:
            raise OSError("no route to the broker")
        return 8

    with (
        capture(metric_interval=FAST) as telemetry,
        otel_kit.watch_queue("a", depth=depth, lag=lambda: 3),
    ):
        until(lambda: value(telemetry, names.QUEUE_LAG) == 3)
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 8)

    assert caplog.text.count("cannot read the depth of queue a") == 1


async def test_a_coroutine_function_runs_on_the_loop_that_watches() -> None:
    """An asynchronous client is used where it belongs."""
    loop = asyncio.get_running_loop()

    async def depth() -> int:
        await asyncio.sleep(0)
        return 4 if asyncio.get_running_loop() is loop else -1

    with (
        capture(metric_interval=FAST) as telemetry,
        otel_kit.watch_queue("a", depth=depth, lag=lambda: depth()),
    ):
        await asyncio.to_thread(until, lambda: value(telemetry, names.QUEUE_DEPTH) == 4)
        await asyncio.to_thread(until, lambda: value(telemetry, names.QUEUE_LAG) == 4)


async def test_a_coroutine_that_takes_too_long_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop is not left with one more of them at every sample."""
    monkeypatch.setattr(queues, "PATIENCE", 0.05)
    cancelled = asyncio.Event()

    async def depth() -> int:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return 1

    with capture(metric_interval=FAST) as telemetry, otel_kit.watch_queue("a", depth=depth):
        async with asyncio.timeout(10):
            await cancelled.wait()
        assert telemetry.points(names.QUEUE_DEPTH) == []


def test_a_coroutine_function_needs_a_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Without one the log says what to do."""

    async def depth() -> int:
        return 1

    with capture(metric_interval=FAST), otel_kit.watch_queue("a", depth=depth):
        until(lambda: "call watch_queue() in the event loop" in caplog.text)

    assert "cannot read the depth" in caplog.text


def test_a_loop_that_has_ended_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """No coroutine is made that nobody would await."""

    async def depth() -> int:
        return 1

    async def watch() -> otel_kit.QueueWatch:
        return otel_kit.watch_queue("a", depth=depth)

    with capture(metric_interval=FAST):
        watching = asyncio.run(watch())
        until(lambda: "cannot read the depth" in caplog.text)
        watching.stop()


def test_a_queue_watched_before_the_kit_is_switched_on_is_reported() -> None:
    """And one that is watched while it is off costs no thread."""
    with otel_kit.watch_queue("early", depth=lambda: 1):
        assert not [each for each in threading.enumerate() if "early" in each.name]
        with capture(metric_interval=FAST) as telemetry:
            until(lambda: value(telemetry, names.QUEUE_DEPTH) == 1)
        with capture(metric_interval=FAST) as telemetry:
            until(lambda: value(telemetry, names.QUEUE_DEPTH) == 1)


def test_watching_again_replaces_the_functions() -> None:
    """A reconnected client does not count twice."""
    with (
        capture(metric_interval=FAST) as telemetry,
        otel_kit.watch_queue("a", depth=lambda: 1),
        otel_kit.watch_queue("a", depth=lambda: 2),
    ):
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 2)


def test_what_the_functions_call_makes_no_hops() -> None:
    """Asking a broker for its depth is not part of the application's flows."""
    called = threading.Event()

    def depth() -> int:
        request = otel_kit.http_request("GET", carrier={}, scheme="http", host="broker", port=1)
        with otel_kit.call(request):
            called.set()
        return 1

    with capture(metric_interval=FAST) as telemetry, otel_kit.watch_queue("a", depth=depth):
        assert called.wait(10)
        until(lambda: value(telemetry, names.QUEUE_DEPTH) == 1)

        assert telemetry.matching(kind=SpanKind.CLIENT) == []


def test_the_number_of_watched_queues_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has a thread; one too many is refused in the log, and its handle works."""
    monkeypatch.setattr(queues, "MAX_WATCHED", 1)
    with otel_kit.watch_queue("a", depth=lambda: 1), otel_kit.watch_queue("b", depth=lambda: 1):
        assert "it watches 1 queues" in caplog.text


@pytest.mark.parametrize("arguments", [{}, {"name": "", "depth": lambda: 1}, {"depth": 7}])
def test_a_watch_without_anything_to_ask_is_refused(arguments: dict[str, Any]) -> None:
    """The one sentence says what is needed."""
    with pytest.raises(InvalidSetting, match="needs a name and at least one function"):
        otel_kit.watch_queue(**{"name": "a", **arguments})


def test_watching_from_many_threads_is_fine() -> None:
    """Every queue has its series, whoever began to watch it."""
    watches = []

    def watch(number: int) -> None:
        watches.append(otel_kit.watch_queue(f"q{number}", depth=lambda: number))

    with capture(metric_interval=FAST) as telemetry:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(watch, range(20)))
        until(lambda: len(telemetry.points(names.QUEUE_DEPTH)) == 20)
        for each in watches:
            each.stop()


FORKING = """
import os, sys
import otel_kit
from otel_kit import names
from otel_kit.testing import capture
from tests.gauges.waiting import until

def depth():
    points = telemetry.points(names.QUEUE_DEPTH)
    return points[0].sum if points else None

with capture(metric_interval=50.0) as telemetry:
    otel_kit.watch_queue("a", depth=os.getpid)
    until(lambda: depth() == os.getpid())
    child = os.fork()
    until(lambda: depth() == os.getpid())
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_samples_for_itself() -> None:
    """Threads do not survive a fork; the watch does."""
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", FORKING], cwd=root, timeout=50, check=False)

    assert run.returncode == 0
