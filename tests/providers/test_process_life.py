"""A process from fork to signal: its own telemetry arrives once, and its end stays its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.providers.conftest import outcome
from tests.providers.programs import START, Program, counts, to
from tests.providers.sink import WAIT, Sink, black_hole, refusing

WAIT_FOR_SIGNAL = """
work("work", 700)
print("ready", flush=True)
for _ in range(300):  # a signal that comes right before a wait begins does not end it
    threading.Event().wait(0.1)
"""


def terminated(process: subprocess.Popen[str]) -> int:
    """The exit status of a program that is sent SIGTERM when it is ready."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    return outcome(process)[0]


# -- the end -------------------------------------------------------------------------------


def test_normal_end_flushes(program: Program, sink: Sink) -> None:
    """A program that ends, and says nothing of telemetry, delivers all of it."""
    status, _, errors = outcome(program(START + "work('work', 700)", **to(sink.url)))
    assert (status, errors) == (0, "")
    assert len(sink.spans()) == 700
    assert [value for _, value in counts(sink)] == [700]


def test_exception_flushes(program: Program, sink: Sink) -> None:
    """A program that dies of an exception delivers its telemetry and keeps its exit status."""
    status, _, errors = outcome(program(START + "work('work'); 1 / 0", **to(sink.url)))
    assert status == 1
    assert "ZeroDivisionError" in errors
    assert sink.names() == ["work"]


def test_sigterm_flushes(program: Program, sink: Sink) -> None:
    """SIGTERM delivers every span, and the process still ends by the signal."""
    assert terminated(program(START + WAIT_FOR_SIGNAL, **to(sink.url))) == -signal.SIGTERM
    assert len(sink.spans()) == 700
    assert [value for _, value in counts(sink)] == [700]


def test_sigterm_under_load(program: Program, sink: Sink) -> None:
    """SIGTERM in the middle of making spans still delivers and still ends the process."""
    busy = """
work("work", 50)
print("ready", flush=True)
while True:
    work("work", 50)
"""
    fast = to(sink.url) | {"OTEL_BSP_MAX_QUEUE_SIZE": "1000000"}
    assert terminated(program(START + busy, **fast)) == -signal.SIGTERM
    assert len(sink.spans()) >= 50


@pytest.mark.parametrize("collector", [refusing, black_hole])
def test_sigterm_without_a_collector(program: Program, collector: Callable[..., object]) -> None:
    """SIGTERM ends a process within the deadline though no collector takes its telemetry."""
    with collector() as where:  # type: ignore[attr-defined]
        url = where if isinstance(where, str) else f"http://127.0.0.1:{where}"
        process = program(START + WAIT_FOR_SIGNAL, **to(url), OTEL_KIT_SHUTDOWN_TIMEOUT="0.5")
        assert terminated(process) == -signal.SIGTERM


@pytest.mark.parametrize("collector", [refusing, black_hole])
def test_end_without_a_collector(program: Program, collector: Callable[..., object]) -> None:
    """A program ends by itself though no collector takes its telemetry."""
    with collector() as where:  # type: ignore[attr-defined]
        url = where if isinstance(where, str) else f"http://127.0.0.1:{where}"
        process = program(START + "work('work', 700)", **to(url), OTEL_KIT_SHUTDOWN_TIMEOUT="0.5")
        assert outcome(process)[0] == 0


def test_earlier_handler_is_called(program: Program, sink: Sink) -> None:
    """The application's own SIGTERM handler decides how the process ends."""
    handler = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    assert terminated(program(handler + START + WAIT_FOR_SIGNAL, **to(sink.url))) == 7
    assert len(sink.spans()) == 700


def test_earlier_handler_that_exits_at_once(program: Program, sink: Sink) -> None:
    """A handler that leaves by os._exit finds the telemetry flushed already."""
    handler = "import os, signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(7))\n"
    assert terminated(program(handler + START + WAIT_FOR_SIGNAL, **to(sink.url))) == 7
    assert len(sink.spans()) == 700


def test_later_handler_stays(program: Program, sink: Sink) -> None:
    """A handler that the application installs after us replaces ours."""
    handler = "\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(8))\n"
    assert terminated(program(START + handler + WAIT_FOR_SIGNAL, **to(sink.url))) == 8
    assert len(sink.spans()) == 700


def test_ignored_sigterm_stays_ignored(program: Program, sink: Sink) -> None:
    """A process that ignores SIGTERM goes on doing so."""
    text = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{START}
os.kill(os.getpid(), signal.SIGTERM)
work("work")
"""
    assert outcome(program(text, **to(sink.url)))[0] == 0
    assert sink.names() == ["work"]


def test_started_outside_the_main_thread(program: Program, sink: Sink) -> None:
    """Started from another thread, where no handler can be installed, the end still delivers."""
    text = f"""
import threading
def start():
    exec({START!r}, globals())
thread = threading.Thread(target=start)
thread.start()
thread.join()
work("work")
"""
    assert outcome(program(text, **to(sink.url)))[0] == 0
    assert sink.names() == ["work"]


# -- the beginning -----------------------------------------------------------------------


def test_nothing_heavy_is_imported() -> None:
    """Importing the kit imports no instrumented library, no exporter, and no SDK."""
    heavy = ("fastapi", "starlette", "httpx", "grpc", "kafka", "aiokafka", "requests", "google")
    text = (
        "import sys, otel_kit, otel_kit._instrument\n"
        f"print([name for name in {(*heavy, 'opentelemetry.sdk')!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=WAIT, check=True
    )
    assert done.stdout == "[]\n"
