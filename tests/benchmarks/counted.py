"""One subject, one kind of work, for a tool that counts what the process does: see `counting.py`.

    TOOL python -m tests.benchmarks.counted SUBJECT WORK --sink URL [--hops 500] [--rounds 1]

Runs in the subject's environment.  Nothing waits for the process to come to rest: time does not
matter here, and looking at it would be counted.
"""

import asyncio
import gc
import os
import random

from tests.benchmarks import peers, work
from tests.benchmarks.measure import read_options
from tests.benchmarks.peers.base import BURST, Peer
from tests.benchmarks.work.base import Work

_WARM_UP = 4 * BURST


async def main() -> None:
    """Warm up, then rounds of hops with a flush; the process's end is that of the last round."""
    options = read_options(hops=500)
    peer = peers.load(options.subject)
    peer.start(options.work)
    hops = work.load(options.work)(peer, options.broker)
    await hops.open()
    random.seed(0)  # OpenTelemetry's ids, and so what is sampled
    await _round(peer, hops, _WARM_UP)
    gc.collect()
    for _ in range(options.rounds):
        _tell()
        await _round(peer, hops, options.hops)
    os._exit(0)  # closing down is part of no hop


async def _round(peer: Peer, hops: Work, count: int) -> None:
    for _ in range(count // BURST):
        with peer.within(hops.name):
            await hops.burst(BURST)
    await asyncio.to_thread(peer.flush)


def _tell() -> None:
    """A child that ends at once: valgrind tells the count of each process at its end."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    asyncio.run(main())
