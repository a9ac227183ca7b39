"""What is measured besides CPU a hop: a real server under load, memory, start-up."""

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tests.benchmarks import counting
from tests.benchmarks.peers.base import BURST
from tests.benchmarks.programs import Failed, Programs, helper

MANY: Final = 100_000
_CONNECTIONS: Final = 16
_LOAD_S: Final = 3.0
_WARM_UP_S: Final = 0.5
_REQUEST: Final = b"GET /orders/7 HTTP/1.1\r\nhost: orders.example\r\naccept: */*\r\n\r\n"


OF_CELLS: Final = ("startup_ms", "setup_ms", "blocks_held")
"""What every measurement tells besides."""


def of_cell(cell: Mapping[str, Any]) -> dict[str, list[float]]:
    """One a repetition of each."""
    return {key: cell[key] for key in OF_CELLS}


def under_load(programs: Programs, subject: str) -> dict[str, float]:
    """Requests a second, and latencies, of a uvicorn that 16 connections keep busy.

    Empty if it does not start: the subject's own measurement has said why.
    """
    with subprocess.Popen(
        programs.command(subject, "serve"),
        env=programs.environment(subject, 1.0),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        port = server.stdout.readline()
        latencies = asyncio.run(_load(int(port))) if port else []
        server.stdin.close()
    if not latencies:
        return {}
    return {
        "requests_per_s": len(latencies) / _LOAD_S,
        "p50_ms": quantile(latencies, 0.5) * 1e3,
        "p99_ms": quantile(latencies, 0.99) * 1e3,
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


async def _load(port: int) -> list[float]:
    begin = time.perf_counter() + _WARM_UP_S
    clients = [_client(port, begin, begin + _LOAD_S) for _ in range(_CONNECTIONS)]
    return [latency for found in await asyncio.gather(*clients) for latency in found]


async def _client(port: int, begin: float, end: float) -> list[float]:
    """Seconds of each request that began between."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies, sent = [], 0.0
    while (sent := time.perf_counter()) < end:
        writer.write(_REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(_length(head))
        if sent >= begin:
            latencies.append(time.perf_counter() - sent)
    writer.close()
    return latencies


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().splitlines())
    return next(int(value) for name, _, value in lines if name == b"content-length")


Figures = dict[str, dict[str, list[float]]]
"""Subject → key → what was found."""


def memory(programs: Programs, subjects: Sequence[str]) -> Figures:
    """MB that a process grew by in `MANY` hops; nothing where that failed."""
    assert MANY % BURST == 0

    def grown(subject: str) -> list[float]:
        options = ("--hops", str(MANY))
        with helper("tests.benchmarks.sink") as sink:
            found = programs.measure(subject, "asgi", 1.0, *options, sink=sink, timeout=600)
        return [found["grown_bytes"] / 1e6]

    return _of_each(subjects, "grown_mb", grown)


def allocations(programs: Programs, subjects: Sequence[str]) -> Figures:
    """Of a hop, whether they are freed at once or not; nothing without valgrind, which counts."""
    if not counting.has_valgrind():
        return {}
    return _of_each(
        subjects, "allocations", lambda name: counting.allocations(programs, name, "asgi")
    )


def _of_each(subjects: Sequence[str], key: str, measure: Callable[[str], list[float]]) -> Figures:
    """Two at a time; a subject that fails has none."""

    def found(subject: str) -> dict[str, list[float]]:
        try:
            return {key: measure(subject)}
        except Failed as error:
            print(f"{subject}: {error}", file=sys.stderr)
            return {}

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(subjects, pool.map(found, subjects), strict=True))
