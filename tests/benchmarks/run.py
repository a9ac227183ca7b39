"""`make bench`: what a hop costs with each subject, side by side on this machine.

    python -m tests.benchmarks.run [--work asgi,httpx] [--subjects bare,contrib,otel_kit]
                                   [--ratios 1,0.01,0] [--repetitions 3] [--no-extras]

Prints tables, and writes `results.json` and the README's picture when everything was measured.
"""

import argparse
import datetime
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks import environments, extras, peers, picture, table
from tests.benchmarks.counting import has_valgrind
from tests.benchmarks.environments import CannotInstall
from tests.benchmarks.figures import BARE, RATIOS, Results
from tests.benchmarks.picture import PICTURE, RESULTS
from tests.benchmarks.programs import Failed, Programs, helper
from tests.benchmarks.work import WORK

_ROUNDS = "3"
"""In each process; the least counts."""
_NO_VALGRIND = "allocations are not counted: valgrind is not installed"


def main() -> None:
    """Make the environments, measure in turn, show."""
    options = _options()
    with ExitStack() as stack:
        sink = stack.enter_context(helper("tests.benchmarks.sink"))
        broker = stack.enter_context(helper("tests.benchmarks.broker"))
        bench = Bench(options, Programs(sink, broker))
        bench.measure()
        _write(options.out, bench.data)  # the rest takes minutes, and may be interrupted
        bench.measure_extras()
        _write(options.out, bench.data)
    results = Results(bench.data)
    console = Console(width=None if sys.stdout.isatty() else 150)
    for each in table.tables(results):
        console.print(each)
    _say(f"written to {options.out}")
    if options.picture:
        options.picture.write_text(picture.svg(results))
        _say(f"drawn in {options.picture}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='make bench ARGS="…"')
    parser.add_argument("--work", type=_names(WORK), default=list(WORK))
    parser.add_argument("--subjects", type=_names(peers.SUBJECTS), default=list(peers.SUBJECTS))
    parser.add_argument("--ratios", type=lambda text: [float(x) for x in text.split(",")])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--no-extras", dest="extras", action="store_false")
    parser.add_argument("--out", type=Path, help="of the results; a whole run writes its own")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    whole = set(options.work) == set(WORK) and set(options.subjects) == set(peers.SUBJECTS)
    if whole and not options.ratios and options.extras:
        options.out, options.picture = options.out or RESULTS, options.picture or PICTURE
    options.out = options.out or environments.root() / "last.json"
    options.ratios = options.ratios or RATIOS
    options.subjects = list(dict.fromkeys([BARE, *options.subjects]))
    return options


def _names(known: Any) -> Any:
    def parse(text: str) -> list[str]:
        given = text.split(",")
        if unknown := set(given) - set(known):
            raise argparse.ArgumentTypeError(f"{unknown.pop()!r} is none of {', '.join(known)}")
        return [name for name in known if name in given]

    return parse


class Bench:
    """The results file in the making: JSON in `data`."""

    def __init__(self, options: argparse.Namespace, programs: Programs) -> None:
        self._options, self._programs = options, programs
        self._cells: dict[tuple[str, str, float], dict[str, Any]] = {}
        self.data: dict[str, Any] = {
            "machine": _machine(),
            "subjects": options.subjects,
            "versions": {},
            "cells": [],
            "missing": [],
            "extras": {},
        }

    def measure(self) -> None:
        """Every combination that was asked for."""
        for name in self._options.subjects:
            self._prepare(name)
        plan = list(self._plan())
        for number, (repetition, subject, work, ratio) in enumerate(plan, 1):
            about = f"[{number}/{len(plan)}] {work} {subject} {ratio:.0%} #{repetition + 1}"
            self._measure_one(about, subject, work, ratio)
        self.data["cells"] = list(self._cells.values())

    def _prepare(self, name: str) -> None:
        peer = peers.load(name)
        try:
            self._programs.add(name, environments.python(name, peer, _say))
        except CannotInstall as error:
            _say(f"{name} cannot be installed: {error}")
            self._miss(name, "*", f"cannot be installed: {error}")
            return
        self.data["versions"][name] = self._programs.versions(name)
        for work, reason in peer.missing.items():
            self._miss(name, work, reason)

    def _miss(self, subject: str, work: str, reason: str) -> None:
        self.data["missing"].append({"subject": subject, "work": work, "reason": reason})

    def _plan(self) -> Iterator[tuple[int, str, str, float]]:
        """(repetition, subject, work, ratio), so that what is compared follows each other.

        The last repetition is of the first ratio only.
        """
        known, options = Results(self.data), self._options
        for repetition in range(options.repetitions):
            last = 0 < repetition == options.repetitions - 1
            for work in options.work:
                if not known.missing(BARE, work):
                    yield repetition, BARE, work, 1.0
                for ratio in options.ratios[:1] if last else options.ratios:
                    for subject in options.subjects:
                        if subject != BARE and not known.missing(subject, work):
                            yield repetition, subject, work, ratio

    def _measure_one(self, about: str, subject: str, work: str, ratio: float) -> None:
        if known_bad := Results(self.data).missing(subject, work):
            _say(f"{about}: {known_bad}")
            return
        try:
            found = self._programs.measure(subject, work, ratio, "--rounds", _ROUNDS)
        except Failed as error:
            self._miss(subject, work, f"failed: {error}")
            _say(f"{about}: FAILED: {error}")
            return
        _say(f"{about}: {min(found['us']):.1f} µs")
        self._keep(subject, work, ratio, found)

    def _keep(self, subject: str, work: str, ratio: float, found: dict[str, Any]) -> None:
        """Add a repetition to its cell."""
        new = {"subject": subject, "work": work, "ratio": ratio, "us": [], "spans_per_hop": 0}
        cell = self._cells.setdefault((subject, work, ratio), new)
        cell["us"].append(min(found["us"]))
        cell["spans_per_hop"] = max(cell["spans_per_hop"], found["spans_per_hop"])
        cell["hops_per_trace"] = peers.load(subject).hops_per_trace(work)
        for key in ("hops", "delivered"):
            cell[key] = cell.get(key, 0) + found[key]
        for key in extras.OF_CELLS:
            cell.setdefault(key, []).append(found[key])

    def measure_extras(self) -> None:
        """What is measured besides, of the ASGI server."""
        if not self._options.extras or "asgi" not in self._options.work:
            return
        subjects: Sequence[str] = [
            name for name in self._options.subjects if (name, "asgi", 1.0) in self._cells
        ]
        found = {name: extras.of_cell(self._cells[name, "asgi", 1.0]) for name in subjects}
        for repetition in range(self._options.repetitions):
            for name in subjects:
                _say(f"uvicorn under load: {name} #{repetition + 1}")
                for key, value in extras.under_load(self._programs, name).items():
                    found[name].setdefault(key, []).append(value)
        _say(f"memory: {extras.MANY:,} hops of each, two at a time")
        for name, grown in extras.memory(self._programs, subjects).items():
            found[name] |= grown
        _say("allocations, two subjects at a time" if has_valgrind() else _NO_VALGRIND)
        for name, counted in extras.allocations(self._programs, subjects).items():
            found[name] |= counted
        self.data["extras"] = found


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n")


def _machine() -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
