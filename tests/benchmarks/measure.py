"""One subject, one kind of work, one sampling ratio: what a hop costs, as JSON on one line.

    python -m tests.benchmarks.measure SUBJECT WORK --sink URL [--hops 1500] [--rounds 1]

Runs in the subject's environment; `run.py` sets the variables that the subject asks for.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Final

from tests.benchmarks import peers, work
from tests.benchmarks.peers.base import BURST, Peer
from tests.benchmarks.work.base import Work

_PAUSE_S: Final = 5e-3
_BUSY_S: Final = 3e-4
"""CPU in a pause, above which somebody is still at work."""
_SETTLED_S: Final = 0.1
"""In which nothing arrives."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


async def main() -> None:
    """Measure, print."""
    options = read_options(hops=1500)
    peer = peers.load(options.subject)
    begun = time.process_time()
    peer.start(options.work)
    setup_ms = (time.process_time() - begun) * 1e3
    hops = work.load(options.work)(peer, options.broker)
    await hops.open()
    startup_ms = time.process_time() * 1e3
    measured = Measured(peer, hops, options.sink)
    try:
        found = await measured(options)
        print(json.dumps({"startup_ms": startup_ms, "setup_ms": setup_ms, **found}))
    finally:
        await hops.close()
    sys.stdout.flush()


def read_options(hops: int) -> argparse.Namespace:
    """The command line of a process that measures; `hops` a round, if it does not say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("subject")
    parser.add_argument("work")
    parser.add_argument("--sink", required=True)
    parser.add_argument("--broker", default="")
    parser.add_argument("--hops", type=int, default=hops)
    parser.add_argument("--rounds", type=int, default=1)
    return parser.parse_args()


class Measured:
    """A subject at work."""

    def __init__(self, peer: Peer, hops: Work, sink: str) -> None:
        self._peer, self._hops, self._sink = peer, hops, sink

    async def __call__(self, options: argparse.Namespace) -> dict[str, object]:
        """Warm up, count what one burst leaves behind, then measure rounds."""
        await self._rounds(4 * BURST)
        per_hop, blocks = await self._sample()
        before, resident = await self._settled(), _resident_bytes()
        rounds = [await self._rounds(options.hops) for _ in range(options.rounds)]
        return {
            "us": rounds,
            "spans_per_hop": per_hop,
            "delivered": await self._settled() - before,
            "hops": options.hops * options.rounds,
            "blocks_held": blocks,
            "grown_bytes": _resident_bytes() - resident,
        }

    async def _sample(self) -> tuple[float, float]:
        """Of one burst: spans per hop, and memory blocks per hop that are still held after it."""
        delivered = await self._settled()
        gc.collect()
        gc.disable()
        blocks = sys.getallocatedblocks()
        await self._burst()
        blocks = sys.getallocatedblocks() - blocks
        gc.enable()
        await _idle()  # some hops end a turn of the event loop later
        await asyncio.to_thread(self._peer.flush)
        return (await self._settled() - delivered) / BURST, blocks / BURST

    async def _rounds(self, hops: int) -> float:
        """µs of CPU a hop, of all threads, until everything is delivered."""
        gc.collect()
        before = time.process_time()
        for _ in range(hops // BURST):
            await self._burst()
            await _idle()
        await asyncio.to_thread(self._peer.flush)
        return (time.process_time() - before) / hops * 1e6

    async def _burst(self) -> None:
        with self._peer.within(self._hops.name):
            await self._hops.burst(BURST)

    async def _settled(self) -> int:
        """Spans delivered so far; a flush may give up before the last of them has arrived."""
        before, count = -1, self._delivered()
        while count != before:
            await asyncio.sleep(_SETTLED_S)
            before, count = count, self._delivered()
        return count

    def _delivered(self) -> int:
        with urllib.request.urlopen(f"{self._sink}/delivered") as answer:
            return int(answer.read())


async def _idle() -> None:
    """Until the process rests: in a service requests come with pauses, in which exporters work.

    Twice in a row, as a process that has to wait for a processor looks idle too.
    """
    quiet = 0
    while quiet < 2:
        before = time.process_time()
        await asyncio.sleep(_PAUSE_S)
        quiet = quiet + 1 if time.process_time() - before < _BUSY_S else 0


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    asyncio.run(main())
