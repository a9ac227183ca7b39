"""The whole demo: what orders come to, with each fault, and how it ends."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.demo.conftest import ROOT, RunningDemo, eventually, running_demo

pytestmark = [pytest.mark.demo, pytest.mark.timeout(120)]

SILENT = {**os.environ, "OTEL_SDK_DISABLED": "true"}
RESERVATIONS = "SELECT quantity FROM reservations WHERE order_id = ?"
CHARGES = "SELECT amount_cents FROM charges WHERE order_id = ?"


def test_an_order_is_fulfilled(demo: RunningDemo) -> None:
    """An order ends completed: stock is reserved, the customer charged, everybody told."""
    order = demo.place_order()
    assert demo.outcome(order) == "completed"
    assert demo.status(order) == "confirmed"
    assert demo.rows("inventory", RESERVATIONS, order) == [(2,)]
    assert demo.rows("bank", CHARGES, order) == [(7800,)]


@pytest.mark.parametrize(
    ("fault", "outcome", "reserved"),
    [
        ("billing-declines", "compensated", []),
        ("bank-slow", "completed", [(2,)]),
        ("out-of-stock", "failed", []),
        ("poison-message", "failed", []),
        ("context-dropped", "completed", [(2,)]),
        ("duplicate-delivery", "completed", [(2,)]),
        ("compensation-fails", "partially_compensated", [(2,)]),
    ],
)
def test_a_fault_has_its_effect(
    demo: RunningDemo, fault: str, outcome: str, reserved: list[tuple[int]]
) -> None:
    """An order placed while a fault is on ends so, and leaves this in the warehouse."""
    with demo.broken(fault):
        order = demo.place_order()
        assert demo.outcome(order) == outcome
    assert demo.rows("inventory", RESERVATIONS, order) == reserved
    charged = demo.rows("bank", CHARGES, order)
    assert charged == ([(7800,)] if outcome == "completed" else [])


def test_a_stalled_consumer_catches_up(demo: RunningDemo) -> None:
    """Orders wait while inventory does not consume, and complete when it does again."""
    with demo.broken("consumer-stalled"):
        orders = [demo.place_order() for _ in range(3)]
        # The first may have been under way when the consumer saw that it is to stall.
        assert [demo.status(order) for order in orders[1:]] == ["reserving"] * 2
    assert [demo.outcome(order) for order in orders] == ["completed"] * 3


@pytest.mark.parametrize(
    ("sku", "quantity"), [("unicorn", 1), ("kettle", 0), ("kettle", "many"), ("k" * 65, 1)]
)
def test_a_wrong_order_is_refused(demo: RunningDemo, sku: str, quantity: object) -> None:
    """An order for what is not sold gets 422 from web or, through gRPC, from orders."""
    assert demo.post("/orders", {"sku": sku, "quantity": quantity}).status_code == 422


def test_an_unknown_order_is_not_found(demo: RunningDemo) -> None:
    """Orders' NOT_FOUND is web's 404."""
    assert demo.get("/orders/ORD-NOPE").status_code == 404


def test_once_prints_a_table_and_exits(tmp_path: Path) -> None:
    """--once places the orders, waits for their ends, prints a row for each and exits 0."""
    command = [sys.executable, "-m", "demo", "--ports", "auto", "--dir", str(tmp_path)]
    command += ["--orders", "6", "--once", "--rate", "50", "--fault", "bank-down"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = ended.stdout.partition("slowest edge")[2].splitlines()
    rows = [line.split() for line in table if line.startswith("ORD-") and "http" not in line]
    assert [row[1] for row in rows] == ["compensated"] * 6
    assert all(int(row[3]) > 0 for row in rows), "hops"
    assert "bank failed recently: not called" in (tmp_path / "logs" / "billing.log").read_text()


def test_once_says_which_orders_did_not_end(tmp_path: Path) -> None:
    """Orders that have not ended in time are shown as running, and the exit code is 1."""
    command = [sys.executable, "-m", "demo", "--ports", "auto", "--dir", str(tmp_path)]
    command += ["--orders", "2", "--once", "--wait", "1", "--fault", "consumer-stalled"]
    command += ["--no-collector"]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, env=SILENT
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "orders had not ended after 1 s" in ended.stdout or "were not placed" in ended.stdout


def test_the_demo_outlives_its_collector(tmp_path: Path) -> None:
    """A collector that is killed is started again, and nothing sent meanwhile is lost."""
    with running_demo(tmp_path / "run", "--orders", "1") as demo:
        before = demo.place_order()
        demo.outcome(before)
        (collector,) = [pid for pid in demo.processes() if b"otel_kit.cli" in command_of(pid)]
        os.kill(collector, signal.SIGKILL)
        during = demo.place_order()
        demo.outcome(during)

        def known() -> set[str]:
            try:
                rows = httpx.get(f"{demo.query}/api/sagas").json()["data"]
            except httpx.TransportError:  # not there again yet
                return set()
            return {row["id"] for row in rows if row["state"] == "completed"}

        assert eventually(known, lambda ids: ids >= {before, during}) >= {before, during}


def test_the_demo_has_its_pages(tmp_path: Path) -> None:
    """The explorer is the first address that the demo names, serves, and is started again."""
    with running_demo(tmp_path / "run", explorer=True) as demo:
        (explorer,) = [pid for pid in demo.processes() if b"\0explore\0" in command_of(pid)]
        assert httpx.get(f"{demo.explorer}/_stcore/health").text == "ok"
        os.kill(explorer, signal.SIGKILL)

        def others() -> list[int]:
            found = [pid for pid in demo.processes() if b"\0explore\0" in command_of(pid)]
            return [pid for pid in found if pid != explorer]

        assert eventually(others, bool), "the explorer was not started again"


def test_a_process_that_dies_is_reported(tmp_path: Path) -> None:
    """When a service ends on its own the demo says which, shows its log and exits with 1."""
    with running_demo(tmp_path / "run") as demo:
        (billing,) = [
            pid for pid in demo.processes() if b"demo.services.billing" in command_of(pid)
        ]
        os.kill(billing, signal.SIGKILL)
        said, _ = demo.process.communicate(timeout=20)
    assert demo.process.returncode == 1
    assert f"billing ended with code {-signal.SIGKILL}" in said


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left(tmp_path: Path, number: signal.Signals) -> None:
    """However the launcher ends, killed outright included, everything it started ends too."""
    with ExitStack() as stack:
        with running_demo(tmp_path / "run", explorer=True) as demo:
            ends = [stack.enter_context(_end_of(pid)) for pid in demo.processes()]
            assert len(ends) == 10
            demo.process.send_signal(number)
            demo.process.communicate(timeout=20)
        assert demo.process.returncode == (-number if number is signal.SIGKILL else 0)
        for end in ends:
            assert select.select([end], [], [], 10)[0], "a process outlived the launcher"


@contextmanager
def _end_of(pid: int) -> Iterator[int]:
    """Yield a file descriptor that becomes readable when the process has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
