"""Forked children: their own telemetry arrives once, and their parent's not again."""

from __future__ import annotations

import signal

from otel_kit import names
from tests.providers.conftest import outcome
from tests.providers.programs import START, Program, counts, to
from tests.providers.sink import Sink, refusing


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
    assert outcome(program(text, **to(sink.url)))[0] == 0
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


def test_edges_of_a_child(program: Program, sink: Sink) -> None:
    """A child forked while other threads make hops and collect has its own in its edge metrics."""
    text = """
import os, sys, threading
import otel_kit
kit = otel_kit.instrument("orders")
def work():
    with otel_kit.serve(otel_kit.http_request("GET", carrier={}, scheme="http", route="/")):
        pass
stop, made = threading.Event(), []
def busy():
    while not stop.is_set():
        work()
        made.append(None)
        if len(made) % 100 == 0:
            kit.flush(3)
threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads:
    thread.start()
for n in range(5):
    if os.fork() == 0:
        work()
        os._exit(0 if kit.flush(10) else 1)
    if os.wait()[1] != 0:
        os._exit(1)
stop.set()
for thread in threads:
    thread.join()
print(len(made))
"""
    status, out, errors = outcome(program(text, **to(sink.url)))
    assert (status, errors) == (0, "")
    values = sorted(value for _, value in counts(sink, names.PROPAGATION_MESSAGES))
    assert values == [1] * 5 + [int(out)]


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


def test_fork_while_locks_are_held(program: Program, sink: Sink) -> None:
    """A fork while other threads hold every lock of the core does not hang the child."""
    text = """
import os, threading
import otel_kit
from otel_kit import _instrument, _locks, hops
from otel_kit.gauges import breakers

kit = otel_kit.instrument("orders")
breaker = otel_kit.watch_breaker("bank", state=lambda: "closed")
held, forked = threading.Event(), threading.Event()
locks = list(_locks._living)
assert {hops.current().sagas._lock, _instrument._lock, breaker._lock} < set(locks)
def hold():
    for lock in locks:
        lock.__enter__()
    held.set()
    forked.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
if os.fork() == 0:
    breaker.entered("open")
    with otel_kit.saga("order-17", name="order") as saga:
        with otel_kit.call(otel_kit.rpc_call("bank.Bank/Pay", carrier={})):
            pass
        saga.finish("completed")
    otel_kit.instrument()
    os._exit(0 if kit.flush(10) else 1)
status = os.wait()[1]
forked.set()
os._exit(os.waitstatus_to_exitcode(status))
"""
    status, _, errors = outcome(program(text, **to(sink.url)))
    assert (status, errors) == (0, "")
    assert len(sink.spans()) == 1
