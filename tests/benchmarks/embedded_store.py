"""How fast `otel-kit up` takes in spans of sagas, durably, and answers meanwhile.  Linux only.

    taskset -c 1 python -m tests.benchmarks.embedded_store [--spans 1000000] [--data DIRECTORY]

The collector is a process of its own, on the cores that this one may use; what it costs is its CPU
time, all threads, from the socket to the disk.  A directory that has a store is not filled again.
Exits with 1 if a figure misses its goal.
"""

import argparse
import contextlib
import http.client
import os
import queue
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from tests.benchmarks import saga_stream
from tests.benchmarks.saga_stream import Batch
from tests.embedded.running import PROTOBUF, Child

_SENDERS: Final = 8
"""Exporters at a time: each waits for its answer, so that they share commits."""
_STEPS: Final = 10
"""Rows of the table of the intake."""
_ASKED: Final = 100
"""Questions of each kind while spans come in."""
_PAUSE_S: Final = 0.05
"""Between two questions, as of a person who looks at a page of several."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_LIMITS_MS: Final = {"a saga by id": 20.0, "the list of sagas": 300.0, "a trace by id": 20.0}
"""For 95 of 100 questions."""
_LARGE: Final = 1_000_000
_LARGE_SAGA_MS: Final = 50.0
"""For a saga by id out of more spans than that."""
_MIN_RATE: Final = 100_000
"""Spans a CPU second."""
_MAX_START_S: Final = 2.0
"""Of the whole program, interpreter included."""


def main() -> int:
    """Fill a store, ask it while it takes in more, start it again; print all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    sys.setswitchinterval(1e-4)  # who asks must not wait for who makes spans
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary)
        good = [] if any(data.glob("*.db")) else [_filled(data, options.spans)]
        good += [_asked(data, options.spans), _started(data)]
    return int(not all(good))


class Sender:
    """Exporters that send to one collector; remembers a sample of what was acknowledged."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._waiting: queue.Queue[Batch | None] = queue.Queue(2 * _SENDERS)
        self._threads = [threading.Thread(target=self._export) for _ in range(_SENDERS)]
        self.refused = 0
        self.stored: list[Batch] = []

    def __enter__(self) -> "Sender":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def send(self, batch: Batch) -> None:
        """Waits while all exporters are at work."""
        self._waiting.put(batch)

    def _export(self) -> None:
        connection = http.client.HTTPConnection(self._host)
        while (batch := self._waiting.get()) is not None:
            connection.request("POST", "/v1/traces", batch.body, PROTOBUF)
            answer = connection.getresponse()
            answer.read()
            self.refused += answer.status != 200
            self.stored.append(Batch(b"", 0, batch.saga_id, batch.trace_id))
        connection.close()


@dataclass
class Usage:
    """CPU seconds and resident bytes of a process, and the time."""

    pid: int
    wall: float = field(default_factory=time.perf_counter)
    cpu: float = 0.0
    resident: int = 0

    def __post_init__(self) -> None:
        told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        self.cpu = (int(told[11]) + int(told[12])) / _TICKS
        self.resident = int(told[21]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def _collector(data: Path) -> Iterator[Child]:
    with Child(data, "--max-size", "16GB") as child:
        yield child
        child.end()


def _filled(data: Path, spans: int) -> bool:
    with _collector(data) as child:
        first = last = Usage(child.process.pid)
        print("  million spans    a CPU second    a second    resident MiB")
        stream = saga_stream.batches(spans, _now(spans))
        for number in range(_STEPS):
            refused = _send(child, stream, spans // _STEPS)
            now = Usage(child.process.pid)
            _print_step(spans * (number + 1) // _STEPS, spans // _STEPS, last, now)
            last = now
    rate = spans / (last.cpu - first.cpu)
    print(f"together {rate:,.0f} spans a CPU second, {refused} requests refused")
    size = sum(path.stat().st_size for path in data.glob("*.db*"))
    print(f"{size / spans:.0f} bytes a span on disk")
    return rate >= _MIN_RATE and not refused


def _now(spans: int) -> int:
    return time.time_ns() - spans // 20 * saga_stream.EVERY_NS


def _send(child: Child, stream: Iterable[Batch], spans: int) -> int:
    """How many requests were refused."""
    sent = 0
    with Sender(child.client.otlp_http_url) as sender:
        for batch in stream:
            sender.send(batch)
            sent += batch.spans
            if sent >= spans:
                break
    return sender.refused


def _print_step(total: int, spans: int, last: Usage, now: Usage) -> None:
    print(
        f"{total / 1e6:15.1f} {spans / (now.cpu - last.cpu):15,.0f}"
        f" {spans / (now.wall - last.wall):11,.0f} {now.resident / 2**20:15.0f}",
        flush=True,
    )


def _asked(data: Path, spans: int) -> bool:
    with _collector(data) as child, Sender(child.client.otlp_http_url) as sender:
        asking = Asking(child.client.query_url, sender)
        asking.start()
        first, sent = Usage(child.process.pid), 0
        for batch in saga_stream.batches(sys.maxsize, time.time_ns()):
            sender.send(batch)
            sent += batch.spans
            if not asking.is_alive():
                break
        _print_step(sent, sent, first, Usage(child.process.pid))
    return asking.print(spans)


class Asking(threading.Thread):
    """Somebody who looks at sagas and traces that have just come in."""

    def __init__(self, url: str, sender: Sender) -> None:
        super().__init__()
        self._url = url
        self._sender = sender
        self._times: dict[str, list[float]] = {}

    def run(self) -> None:
        """Ask every question `_ASKED` times."""
        with httpx.Client(base_url=self._url, timeout=20) as client:
            while len(self._sender.stored) < _ASKED:
                time.sleep(_PAUSE_S)
            for _ in range(_ASKED):
                for name, path in _questions(random.choice(self._sender.stored)):
                    began = time.perf_counter()
                    client.get(path).raise_for_status()
                    took = time.perf_counter() - began
                    self._times.setdefault(name, []).append(took * 1e3)
                    time.sleep(_PAUSE_S)

    def print(self, spans: int) -> bool:
        """Print a line for each question; whether all were answered in time."""
        good = bool(self._times)
        for name, found in self._times.items():
            p95 = statistics.quantiles(found, n=20)[-1]
            print(f"{statistics.median(found):7.1f} ms  p95 {p95:7.1f} ms  {name}")
            large = spans > _LARGE and name == "a saga by id"
            good = good and p95 <= (_LARGE_SAGA_MS if large else _LIMITS_MS[name])
        return good


def _questions(batch: Batch) -> Iterator[tuple[str, str]]:
    yield "a saga by id", f"/api/sagas/{batch.saga_id}"
    yield "the list of sagas", "/api/sagas"
    yield "a trace by id", f"/api/traces/{batch.trace_id.hex()}"


def _started(data: Path) -> bool:
    began = time.perf_counter()
    with _collector(data) as child:
        child.client.get("/healthz").raise_for_status()
        took = time.perf_counter() - began
        health = child.client.get("/healthz").json()
    print(f"{took:.2f} s to start with {health['spans']:,} spans, {health['size_bytes']:,} bytes")
    return took <= _MAX_START_S


if __name__ == "__main__":
    sys.exit(main())
