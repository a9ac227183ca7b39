"""Fixtures of the demo's tests: databases, the in-memory broker, and a running demo."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from demo import config
from demo.messaging import topics
from demo.services.broker.cluster import Cluster
from demo.storage.database import connect

ROOT = Path(__file__).parents[2]
Open = Callable[[str], sqlite3.Connection]
T = TypeVar("T")
LIMIT = 40.0


def eventually(read: Callable[[], T], enough: Callable[[T], bool]) -> T:
    """Read until it is enough, or return the last that was read: telemetry arrives in its time."""
    deadline = time.monotonic() + LIMIT
    while not enough(found := read()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases and faults of a test are its own."""
    monkeypatch.setenv(config.DIRECTORY, str(tmp_path))


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[Open]:
    """Open a database with a schema; all are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda schema: stack.enter_context(
            contextlib.closing(connect(tmp_path / "test.db", schema))
        )


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The in-memory broker, in this process, and the environment that points at it."""
    cluster = Cluster(topics.ALL)
    monkeypatch.setenv(config.BOOTSTRAP_SERVERS, cluster.bootstrap_servers)
    monkeypatch.setenv(config.IN_MEMORY_BROKER, "true")
    yield cluster
    cluster.close()


@dataclass(frozen=True)
class RunningDemo:
    """``python -m demo`` in a process of its own, ready."""

    process: subprocess.Popen[str]
    directory: Path
    web: str
    query: str
    explorer: str

    def switch(self, fault: str, state: str) -> None:
        command = [sys.executable, "-m", "demo", "--dir", str(self.directory), "fault"]
        subprocess.run([*command, fault, state], cwd=ROOT, check=True, capture_output=True)

    @contextlib.contextmanager
    def broken(self, fault: str) -> Iterator[None]:
        self.switch(fault, "on")
        try:
            yield
        finally:
            self.switch(fault, "off")

    def post(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        return httpx.post(self.web + path, json=body, timeout=20)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.web + path, timeout=20)

    def place_order(self) -> str:
        reply = self.post("/orders", {"sku": "kettle", "quantity": 2}).raise_for_status()
        return str(reply.json()["id"])

    def outcome(self, order_id: str) -> str:
        """Wait for the end of an order."""
        url = f"{self.web}/orders/{order_id}/events"
        with httpx.stream("GET", url, timeout=30) as events:
            for line in events.iter_lines():
                if line.startswith("data: ") and (found := json.loads(line[6:])["outcome"]):
                    return str(found)
        raise AssertionError(f"the events of {order_id} ended early")

    def status(self, order_id: str) -> str:
        return str(self.get(f"/orders/{order_id}").json()["status"])

    def rows(self, service: str, sql: str, *values: str) -> list[tuple[object, ...]]:
        path = self.directory / "databases" / f"{service}.db"
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as database:
            return database.execute(sql, values).fetchall()

    def processes(self) -> list[int]:
        """The ids of the processes it started, known by a mark in their environment."""
        mark = f"{config.DIRECTORY}={self.directory}".encode()
        return [pid for pid in _process_ids() if mark in _environment(pid).split(b"\0")]


def _process_ids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@contextlib.contextmanager
def running_demo(
    directory: Path,
    *arguments: str,
    explorer: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningDemo]:
    """Start the demo on free ports; yield it when it is ready, and end it by SIGTERM."""
    command = [sys.executable, "-m", "demo", "--ports", "auto", "--dir", str(directory), *arguments]
    command.append("--explorer" if explorer else "--no-explorer")
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OTEL_METRIC_EXPORT_INTERVAL": "300", **(environment or {})},
    ) as process:
        try:
            urls = _read_urls(process)
            web = urls["web"].removesuffix("/orders")
            query = urls.get("query", "").removesuffix("/api/sagas")  # none with --no-collector
            yield RunningDemo(process, directory, web, query, urls.get("explorer", ""))
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def _read_urls(process: subprocess.Popen[str]) -> dict[str, str]:
    urls: dict[str, str] = {}
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        name, _, value = line.strip().partition("  ")
        urls[name] = value.strip()
        if name == "logs":
            return urls
    raise AssertionError("the demo did not start:\n" + "".join(said))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One running demo for all tests of a worker; its own traffic is a single order."""
    with running_demo(tmp_path_factory.mktemp("demo"), "--orders", "1") as running:
        yield running
