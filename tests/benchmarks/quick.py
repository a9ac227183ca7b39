"""`make bench-quick`: has a hop of the kit become dearer?  In this environment, under two minutes.

    python -m tests.benchmarks.quick [--record] [--method instructions|cpu]

The unit is a span of OpenTelemetry's SDK, with attributes and encoded, measured in the same run in
the same way, so that machines of any speed agree.  Exits with 1 if a hop costs more than LIMIT ×
what `recorded.json` says of this version of Python; `--record` writes that file.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.benchmarks import counting
from tests.benchmarks.programs import Programs, helper

LIMIT: Final = 1.3
RECORDED: Final = Path(__file__).parent / "recorded.json"
RECORD: Final = "make bench-quick ARGS=--record"
_PYTHON: Final = ".".join(platform.python_version_tuple()[:2])
_UNIT: Final = ("bare", "sdk_span", 1.0)
_HOPS: Final = {
    "ASGI server": ("asgi", 1.0),
    "ASGI server at 1 %": ("asgi", 0.01),
    "httpx client": ("httpx", 1.0),
    "gRPC aio, client and server": ("grpc_aio", 1.0),
    "Kafka produce": ("kafka_produce", 1.0),
    "Kafka consume": ("kafka_consume", 1.0),
}
"""Name → work and sampling ratio."""
_UNSTEADY: Final = ("grpc_aio",)
"""Its threads meet otherwise in each run: CPU time differs by a third, instructions by 1 %."""
_METHODS: Final = {
    "instructions": "instructions",
    "cpu": "CPU time, which depends on the machine's mood (instructions need valgrind or perf)",
}
"""In recorded.json → in words; the better one first."""
_REPETITIONS: Final = 4
"""Of CPU times, of which the least counts; instructions are counted once."""

Combination = tuple[str, str, float]
Costs = Mapping[Combination, float]
Recorded = dict[str, dict[str, dict[str, float]]]
"""Method → Python's minor version → hop → spans of the SDK."""


def main() -> int:
    """Measure, compare, print."""
    options = _options()
    recorded: Recorded = json.loads(RECORDED.read_text())
    complaints: list[str] = []
    for method in options.methods:
        measured = ratios(_costs(method))
        if options.record:
            recorded.setdefault(method, {})[_PYTHON] = measured
        known = recorded.get(method, {}).get(_PYTHON)
        _show(method, measured, known or {})
        if known is None:
            print(f"Nothing is recorded for Python {_PYTHON}, so nothing is judged: {RECORD}")
        else:
            complaints += too_dear(measured, known)
    if options.record:
        RECORDED.write_text(json.dumps(recorded, indent=1) + "\n")
    for complaint in complaints:
        print(complaint)
    return int(bool(complaints))


def _options() -> argparse.Namespace:
    here = [name for name in _METHODS if name != "instructions" or counting.counts_instructions()]
    parser = argparse.ArgumentParser(prog='make bench-quick ARGS="…"')
    parser.add_argument("--record", action="store_true", help="by every method there is here")
    parser.add_argument("--method", choices=here)
    options = parser.parse_args()
    default = here if options.record else here[:1]
    options.methods = [options.method] if options.method else default
    return options


def _show(method: str, measured: Mapping[str, float], recorded: Mapping[str, float]) -> None:
    print(f"What a hop adds, in spans of the SDK, by {_METHODS[method]}; Python {_PYTHON}:")
    for name, ratio in measured.items():
        known = recorded.get(name, 0)
        hint = f"  (cheaper by now: {RECORD})" if ratio * LIMIT < known else ""
        print(f"{ratio:7.2f}, recorded {known:6.2f}  {name}{hint}")


def _costs(method: str) -> Costs:
    """What each combination costs a hop."""
    with ExitStack() as stack:
        sink = stack.enter_context(helper("tests.benchmarks.sink"))
        broker = stack.enter_context(helper("tests.benchmarks.broker"))
        programs = Programs(sink, broker)
        for subject in ("bare", "otel_kit"):
            programs.add(subject, Path(sys.executable))
        return _counted(programs) if method == "instructions" else _timed(programs)


def _counted(programs: Programs) -> Costs:
    """Instructions; as many at a time as there are processors for us, as they do not mind."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        waiting = {
            each: pool.submit(counting.instructions, programs, *each) for each in _combinations()
        }
        return {each: future.result() for each, future in waiting.items()}


def _timed(programs: Programs) -> Costs:
    """The least µs of several repetitions, in turns."""
    best = {each: float("inf") for each in _combinations() if each[1] not in _UNSTEADY}
    for number in range(_REPETITIONS):
        print(f"repetition {number + 1} of {_REPETITIONS}", file=sys.stderr, flush=True)
        for each in best:
            best[each] = min(best[each], *programs.measure(*each, "--hops", "1000")["us"])
    return best


def _combinations() -> list[Combination]:
    hops = list(_HOPS.values())
    bare = dict.fromkeys(("bare", work, 1.0) for work, _ in hops)
    return [_UNIT, *bare, *(("otel_kit", work, ratio) for work, ratio in hops)]


def ratios(costs: Costs) -> dict[str, float]:
    """What each hop adds to the bare one, in spans of the SDK."""
    return {
        name: round((costs["otel_kit", work, ratio] - costs["bare", work, 1.0]) / costs[_UNIT], 3)
        for name, (work, ratio) in _HOPS.items()
        if ("otel_kit", work, ratio) in costs
    }


def too_dear(measured: Mapping[str, float], recorded: Mapping[str, float]) -> list[str]:
    """A line for each hop that costs more than `LIMIT` × what is recorded, or is not recorded."""
    return [
        _complaint(name, ratio, recorded.get(name))
        for name, ratio in measured.items()
        if ratio > LIMIT * recorded.get(name, 0)
    ]


def _complaint(name: str, ratio: float, recorded: float | None) -> str:
    if recorded is None:
        return f"NOT RECORDED: {name} (measured {ratio:.2f}); record it with: {RECORD}"
    return (
        f"TOO DEAR: {name} costs {ratio:.2f} spans of the SDK, more than {LIMIT} × the recorded "
        f"{recorded:.2f}; if that is meant, record it anew: {RECORD}"
    )


if __name__ == "__main__":
    sys.exit(main())
