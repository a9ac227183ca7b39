"""`make bench-quick`: has a hop of the kit become dearer?  In this environment, under two minutes.

    python -m tests.benchmarks.quick [--record] [--repetitions 5]

The unit is a span of OpenTelemetry's SDK, with attributes and encoded, measured in the same run,
so that machines of any speed agree.  Exits with 1 if a hop costs more than LIMIT × what
`recorded.json` says; `--record` writes that file.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.benchmarks.programs import Programs, helper

LIMIT: Final = 1.3
RECORDED: Final = Path(__file__).parent / "recorded.json"
_UNIT: Final = ("bare", "sdk_span", 1.0)
_HOPS: Final = {
    "ASGI server": ("asgi", 1.0),
    "ASGI server at 1 %": ("asgi", 0.01),
    "httpx client": ("httpx", 1.0),
    "Kafka produce": ("kafka_produce", 1.0),
    "Kafka consume": ("kafka_consume", 1.0),
}
"""Name → work and sampling ratio."""

Combination = tuple[str, str, float]


def main() -> int:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(prog='make bench-quick ARGS="…"')
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    measured = ratios(_measure(options.repetitions))
    if options.record:
        RECORDED.write_text(json.dumps(measured, indent=1) + "\n")
    recorded = json.loads(RECORDED.read_text())
    dearer = over(measured, recorded)
    for name, ratio in measured.items():
        verdict = "  TOO MUCH" if name in dearer else ""
        print(
            f"{ratio:6.2f} spans of the SDK, recorded {recorded.get(name, 0):6.2f}  {name}{verdict}"
        )
    return int(bool(dearer))


def _measure(repetitions: int) -> dict[Combination, float]:
    """The least µs of each combination, in turns."""
    best: dict[Combination, float] = defaultdict(lambda: float("inf"))
    with ExitStack() as stack:
        sink = stack.enter_context(helper("tests.benchmarks.sink"))
        broker = stack.enter_context(helper("tests.benchmarks.broker"))
        programs = Programs(sink, broker)
        for subject in ("bare", "otel_kit"):
            programs.add(subject, Path(sys.executable))
        for number in range(repetitions):
            print(f"repetition {number + 1} of {repetitions}", file=sys.stderr, flush=True)
            for each in _combinations():
                best[each] = min(best[each], *programs.measure(*each, "--hops", "1000")["us"])
    return best


def _combinations() -> list[Combination]:
    hops = list(_HOPS.values())
    bare = dict.fromkeys(("bare", work, 1.0) for work, _ in hops)
    return [_UNIT, *bare, *(("otel_kit", work, ratio) for work, ratio in hops)]


def ratios(best: Mapping[Combination, float]) -> dict[str, float]:
    """What each hop adds to the bare one, in spans of the SDK."""
    return {
        name: round((best["otel_kit", work, ratio] - best["bare", work, 1.0]) / best[_UNIT], 2)
        for name, (work, ratio) in _HOPS.items()
    }


def over(measured: Mapping[str, float], recorded: Mapping[str, float]) -> list[str]:
    """The hops that cost more than `LIMIT` times what is recorded; one not recorded does too."""
    return [name for name, ratio in measured.items() if ratio > LIMIT * recorded.get(name, 0)]


if __name__ == "__main__":
    sys.exit(main())
