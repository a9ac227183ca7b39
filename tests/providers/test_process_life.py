"""A process from fork to signal: its own telemetry arrives once, and its end stays its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.providers.conftest import outcome
from tests.providers.sink import WAIT, Sink, black_hole, refusing

Program = Callable[..., subprocess.Popen[str]]

START = """
import multiprocessing, os, signal, sys, threading
from opentelemetry import metrics, trace
from otel_kit import _providers
from otel_kit.settings import Settings

providers = _providers.create(Settings.from_environment("orders"))
tracer = trace.get_tracer("test")
counter = metrics.get_meter("test").create_counter("orders")

def work(name, count=1):
    for _ in range(count):
        with tracer.start_as_current_span(name):
            counter.add(1)
"""
WAIT_FOR_SIGNAL = """
work("work", 700)
print("ready", flush=True)
threading.Event().wait(30)
"""


def to(url: str) -> dict[str, str]:
    """The variables of a program that exports only when it ends."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "1000000",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000000",
    }


def terminated(process: subprocess.Popen[str]) -> int:
    """The exit status of a program that is sent SIGTERM when it is ready."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    return outcome(process)[0]


def counts(sink: Sink) -> list[tuple[str, float]]:
    """(instance, last value) of the counter, in order of first arrival."""
    last: dict[str, float] = {}
    for resource, _, value in sink.points("orders"):
        last[resource["service.instance.id"]] = value
    return list(last.items())


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


# -- fork ----------------------------------------------------------------------------------


def children_of(sink: Sink, first: float) -> list[float]:
    """The counts of the processes other than the parent, whose count ends at `first`."""
    values = [value for _, value in counts(sink)]
    values.remove(first)
    return sorted(values)


def test_fork(program: Program, sink: Sink) -> None:
    """A forked child sends its own spans and counts, once, under an instance id of its own."""
    text = (
        START
        + """
work("parent", 5)
if os.fork() == 0:
    work("child", 2)
    sys.exit()
os.wait()
work("parent", 1)
"""
    )
    assert outcome(program(text, **to(sink.url)))[0] == 0
    assert sink.names() == ["child"] * 2 + ["parent"] * 6
    assert children_of(sink, 6) == [2]
    assert len({resource["service.instance.id"] for resource in sink.resources()}) == 2


def test_multiprocessing(program: Program, sink: Sink) -> None:
    """Children of multiprocessing deliver their own telemetry when they end."""
    text = (
        START
        + """
work("parent", 5)
fork = multiprocessing.get_context("fork")
children = [fork.Process(target=work, args=("child", n)) for n in (1, 2)]
for child in children:
    child.start()
for child in children:
    child.join()
sys.exit(sum(child.exitcode for child in children))
"""
    )
    status, _, errors = outcome(program(text, **to(sink.url)))
    assert (status, errors) == (0, "")
    assert sink.names() == ["child"] * 3 + ["parent"] * 5
    assert children_of(sink, 5) == [1, 2]


def test_fork_in_the_middle_of_an_export(program: Program, sink: Sink) -> None:
    """A fork while the parent exports and records neither hangs the child nor doubles a span."""
    text = (
        START
        + """
stop = threading.Event()
def busy():
    while not stop.is_set():
        work("parent")
        providers.flush(3)
threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads:
    thread.start()
for n in range(10):
    if os.fork() == 0:
        work("child")
        os._exit(0 if providers.flush(10) else 1)
    if os.wait()[1] != 0:
        os._exit(1)
stop.set()
"""
    )
    status, _, errors = outcome(program(text, **to(sink.url)))
    assert (status, errors) == (0, "")
    assert sink.names().count("child") == 10
    ids = [span.span_id for span in sink.spans()]
    assert len(set(ids)) == len(ids)
    counted = [value for _, value in counts(sink)]
    assert sorted(counted)[:-1] == [1] * 10


def test_span_open_at_the_fork(program: Program, sink: Sink) -> None:
    """A span that was open at the fork is its parent's: it is sent once, with both children's."""
    text = (
        START
        + """
with tracer.start_as_current_span("open"):
    child = os.fork()
    work("child" if child == 0 else "parent")
if child:
    os.wait()
"""
    )
    assert outcome(program(text, **to(sink.url)))[0] == 0
    assert sink.names() == ["child", "open", "parent"]


def test_loss_of_the_parent_is_not_the_childs(program: Program) -> None:
    """A forked child begins with no losses."""
    text = (
        START
        + """
work("parent", 30)
before = providers.lost()["traces", "queue_full"]
if os.fork() == 0:
    os._exit(len(providers.lost()))
print(before, os.wait()[1])
"""
    )
    with refusing() as port:
        small = to(f"http://127.0.0.1:{port}") | {"OTEL_BSP_MAX_QUEUE_SIZE": "10"}
        status, out, _ = outcome(program(text, **small))
    assert (status, out) == (0, "20 0\n")


def test_sigterm_of_a_child(program: Program, sink: Sink) -> None:
    """SIGTERM of a forked child delivers the child's telemetry and ends the child alone."""
    text = (
        START
        + """
work("parent")
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    work("child")
    os.write(writer, b".")
    threading.Event().wait(30)
os.read(reader, 1)
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    )
    status, out, _ = outcome(program(text, **to(sink.url)))
    assert (status, out) == (0, f"{-signal.SIGTERM}\n")
    assert sink.names() == ["child", "parent"]


def test_fork_that_python_does_not_see(program: Program, sink: Sink) -> None:
    """A child forked in C, without Python's hooks, sends nothing, counts that, and says so."""
    text = (
        START
        + """
import ctypes
work("parent")
child = ctypes.PyDLL(None).fork()
if child == 0:
    work("child", 3)
    os._exit(providers.lost()["traces", "fork"])
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    )
    status, out, errors = outcome(program(text, **to(sink.url)))
    assert (status, out) == (0, "3\n")
    assert "without Python's fork hooks" in errors
    assert sink.names() == ["parent"]
    assert [value for _, value in counts(sink)] == [1]


def test_fork_with_grpc(program: Program) -> None:
    """OTLP over gRPC, which would crash in a forked child, sends nothing there and says why."""
    text = (
        START
        + """
if os.fork() == 0:
    work("child", 3)
    sys.exit(providers.lost()["traces", "fork"])
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    )
    with refusing() as port:
        grpc = to(f"http://127.0.0.1:{port}") | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        status, out, errors = outcome(program(text, **grpc))
    assert (status, out) == (0, "3\n")
    assert "GRPC_ENABLE_FORK_SUPPORT=1" in errors


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
