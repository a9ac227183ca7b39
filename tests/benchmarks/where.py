"""Where a hop's time goes: a sampling profile of one kind of work with the kit.

    python -m tests.benchmarks.where [asgi|httpx|grpc_aio|…] [--hops 20000]

Every few milliseconds of CPU the main thread is asked what it is doing.  A sample counts for the
part whose code is innermost, the standard library and C code for the part that called it.  What
the kit's own threads take (they encode and send) is read from their clocks.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
from collections import Counter
from types import FrameType
from typing import Any, Final

from rich.console import Console
from rich.table import Table

import otel_kit
from tests.benchmarks import peers, work
from tests.benchmarks.peers.base import BURST
from tests.benchmarks.programs import helper
from tests.benchmarks.work.base import Work

_INTERVAL_S: Final = 1e-3
_PARTS: Final = {
    "/otel_kit/integrations/": "otel_kit.integrations: the library's arguments as a Hop, and back",
    "/otel_kit/hops/": "otel_kit.hops: context, headers, labels, metrics",
    "/otel_kit/": "otel_kit._providers: the span, sampling, the queue",
    "/opentelemetry/": "opentelemetry: its API and SDK",
    "/site-packages/": "the application and its libraries",
    "/tests/benchmarks/": "the application and its libraries",
}
"""A piece of a file's path → the part of the program that it is of, the first that fits."""
_SHOWN: Final = 25


class Samples:
    """What the main thread was doing."""

    def __init__(self) -> None:
        self.taken = 0
        self.parts: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()

    def take(self, _signal: int, frame: FrameType | None) -> None:
        """A handler of SIGPROF."""
        frames = []
        while frame is not None:
            frames.append(frame.f_code)
            frame = frame.f_back
        self.taken += 1
        parts = (part for code in frames if (part := _part(code.co_filename)))
        self.parts[next(parts, "the interpreter")] += 1
        self.functions.update({_name(code) for code in frames if "/otel_kit/" in code.co_filename})


def _part(path: str) -> str | None:
    return next((part for piece, part in _PARTS.items() if piece in path), None)


def _name(code: Any) -> str:
    return f"{code.co_filename.rpartition('/otel_kit/')[2]} {code.co_qualname}"


def main() -> None:
    """Profile, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", nargs="?", default="asgi")
    parser.add_argument("--hops", type=int, default=20_000)
    options = parser.parse_args()
    with helper("tests.benchmarks.sink") as sink, helper("tests.benchmarks.broker") as broker:
        os.environ.update(peers.load("otel_kit").environment(sink, 1.0))
        samples, cpu_us, threads = asyncio.run(_profile(options.work, broker, options.hops))
    _show(options.work, samples, cpu_us, threads)


async def _profile(name: str, broker: str, hops: int) -> tuple[Samples, float, dict[str, float]]:
    """Samples, µs of CPU a hop of the main thread, and of the kit's threads by name."""
    peer = peers.load("otel_kit")
    peer.start(name)
    run = work.load(name)(peer, broker)
    await run.open()
    await _bursts(run, 10 * BURST)
    samples, before, began = Samples(), _threads(), time.thread_time()
    signal.signal(signal.SIGPROF, samples.take)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)
    await _bursts(run, hops)
    signal.setitimer(signal.ITIMER_PROF, 0)
    cpu_us = (time.thread_time() - began) / hops * 1e6
    await asyncio.to_thread(peer.flush)
    spent = {name: (at - before.get(name, 0)) / hops * 1e6 for name, at in _threads().items()}
    await run.close()
    otel_kit.instrument().shutdown()  # while the sink is there
    return samples, cpu_us, spent


async def _bursts(run: Work, hops: int) -> None:
    for _ in range(hops // BURST):
        await run.burst(BURST)
        await asyncio.sleep(0)  # some hops end a turn of the event loop later


def _threads() -> dict[str, float]:
    """Seconds of CPU of the kit's threads so far, by name."""
    return {
        thread.name: time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        for thread in threading.enumerate()
        if thread.name.startswith("otel_kit") and thread.ident
    }


def _show(name: str, samples: Samples, cpu_us: float, threads: dict[str, float]) -> None:
    each = cpu_us / max(1, samples.taken)
    parts = Table("part", "µs a hop", title=f"{name}: {cpu_us:.0f} µs a hop in the main thread")
    for part, count in samples.parts.most_common():
        parts.add_row(part, f"{count * each:.1f}")
    for thread, spent in threads.items():
        parts.add_row(f"thread {thread}", f"{spent:.1f}")
    functions = Table("function of the kit", "µs a hop, with what it calls")
    for function, count in samples.functions.most_common(_SHOWN):
        functions.add_row(function, f"{count * each:.1f}")
    console = Console(width=100)
    console.print(parts, functions, f"{samples.taken} samples")


if __name__ == "__main__":
    sys.exit(main())
