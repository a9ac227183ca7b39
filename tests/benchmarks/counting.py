"""What a hop does, counted: instructions and allocations do not depend on the machine's mood.

valgrind counts both; perf counts instructions where the machine has a counter for its guests.
"""

import re
import shutil
import subprocess
from itertools import pairwise
from typing import Final

from tests.benchmarks.programs import Failed, Programs

_VALGRIND: Final = ("valgrind", "--vgdb=no")
_CACHEGRIND: Final = (
    *_VALGRIND, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
)  # fmt: skip
"""Without its caches it counts the same instructions as callgrind, in a third of the time."""
_MEMCHECK: Final = (
    *_VALGRIND, "--tool=memcheck", "--leak-check=no", "--undef-value-errors=no",
)  # fmt: skip
_PERF: Final = ("perf", "stat", "-x,", "-e", "instructions:u")

INSTRUCTIONS: Final = re.compile(r"I\s+refs:\s+([\d,]+)")
ALLOCATIONS: Final = re.compile(r"total heap usage: ([\d,]+) allocs")
PERF_SAYS: Final = re.compile(r"^(\d+),.*instructions:u", re.MULTILINE)

_HOPS: Final = 300
_PERF_HOPS: Final = 5_000
"""Many, as the start, which differs from run to run, is subtracted."""
_FEW_HOPS, _ROUNDS = 200, 3
"""To count allocations, which is slower."""


def has_valgrind() -> bool:
    """Whether it is installed."""
    return shutil.which("valgrind") is not None


def counts_instructions() -> bool:
    """Whether there is valgrind, or a perf that has a counter on this machine."""
    if has_valgrind() or shutil.which("perf") is None:
        return has_valgrind()
    done = subprocess.run([*_PERF, "true"], capture_output=True, text=True, check=False)
    return PERF_SAYS.search(done.stderr) is not None


def instructions(programs: Programs, subject: str, work: str, ratio: float) -> float:
    """Of a hop: all threads, and its share of a flush.  Raises Failed."""
    if has_valgrind():
        said = programs.count(_CACHEGRIND, subject, work, ratio, hops=_HOPS)
        first, last = counts(said, INSTRUCTIONS)
        return (last - first) / _HOPS
    few, many = (
        max(counts(programs.count(_PERF, subject, work, ratio, hops=hops), PERF_SAYS))
        for hops in (0, _PERF_HOPS)
    )
    return (many - few) / _PERF_HOPS


def allocations(programs: Programs, subject: str, work: str) -> list[float]:
    """Of a hop, freed or not, one a round: valgrind's count of malloc, which Python is told to use.

    Raises Failed.
    """
    said = programs.count(
        _MEMCHECK, subject, work, 1.0, hops=_FEW_HOPS, rounds=_ROUNDS, PYTHONMALLOC="malloc"
    )
    return [(after - before) / _FEW_HOPS for before, after in pairwise(counts(said, ALLOCATIONS))]


def counts(said: str, pattern: re.Pattern[str]) -> list[int]:
    """What a tool said of each process; sorted, as a count only grows.  Raises Failed for none."""
    found = sorted(int(text.replace(",", "")) for text in pattern.findall(said))
    if not found:
        raise Failed((said.strip().splitlines() or ["the tool counted nothing"])[-1])
    return found
