"""``python -m collector.stack``: brings the parts that are not in the cache yet."""

import argparse
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console

from collector.stack import cache, tools
from collector.stack.parts import PARTS, Part
from collector.stack.progress import reported

READY, FAILED, MISSING, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if all is there, 1 if a build failed, 2 if a toolchain is missing."""
    parser = argparse.ArgumentParser(prog="make stack", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="of " + ", ".join(_names()))
    parser.add_argument("--where", action="store_true", help="print the programs' paths")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(_names())
    if unknown:
        parser.error(f"no part is called {unknown.pop()!r}: choose from {', '.join(_names())}")
    wanted = [part for part in PARTS if not options.parts or part.name in options.parts]
    if options.where:
        sys.stdout.writelines(f"{part.name}  {part.path}\n" for part in wanted)
        return READY
    return _bring(wanted, Console(stderr=True, highlight=False, soft_wrap=True))


def _names() -> list[str]:
    return [part.name for part in PARTS]


def _bring(wanted: Sequence[Part], console: Console) -> int:
    console.print(f"cache: {cache.root()}")
    missing = [part for part in wanted if not _is_there(part, console)]
    try:
        return _build(missing, console) if missing else READY
    except (tools.Failed, OSError) as problem:
        console.print(str(problem), style="red", markup=False)
        console.print("make stack goes on from here: run it again when that is mended")
        return FAILED
    except KeyboardInterrupt:
        console.print("stopped: make stack goes on from here")
        return INTERRUPTED


def _build(parts: Sequence[Part], console: Console) -> int:
    problems = {problem: None for part in parts for problem in tools.problems(part.needs)}
    if problems:
        return _explain(problems, console)
    with cache.alone(lambda: console.print("waiting for another make stack in this cache")):
        for part in parts:
            if not part.path.exists():
                _fetch(part, console)
    return READY


def _explain(problems: Iterable[str], console: Console) -> int:
    for problem in problems:
        console.print(problem, style="red")
    if able := [part.name for part in PARTS if not tools.problems(part.needs)]:
        console.print(f'the others can be built: make stack ARGS="{" ".join(able)}"')
    return MISSING


def _fetch(part: Part, console: Console) -> None:
    console.print(f"{part.title}  takes about {part.cold} on 2 cores, the first time")
    with reported(part.title, console) as progress:
        part.fetch(progress)


def _is_there(part: Part, console: Console) -> bool:
    if part.path.exists():
        console.print(f"{part.title}  is there")
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
