"""``python -m collector.stack``: brings the parts that are not in the cache yet."""

import argparse
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from collector.stack import cache, tools
from collector.stack.parts import PARTS, VERSIONS, Part


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if all is there, 2 if a toolchain is missing, 1 if a build failed."""
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
        return 0
    return _bring(wanted)


def _names() -> list[str]:
    return [part.name for part in PARTS]


def _bring(wanted: Sequence[Part]) -> int:
    console = Console(stderr=True)
    console.print(f"cache: {cache.root()}", highlight=False)
    missing = [part for part in wanted if not part.path.exists()]
    for part in wanted:
        if part not in missing:
            console.print(f"{_title(part)}  is there")
    for part in missing:
        console.print(f"{_title(part)}  takes about {part.cold} on 2 cores, the first time")
        try:
            _fetch(part, console)
        except tools.Missing as problem:
            console.print(f"cannot build {part.name}: {problem}", style="red")
            return 2
        except tools.Failed as problem:
            console.print(f"{part.name}: {problem}", style="red", highlight=False)
            return 1
    return 0


def _title(part: Part) -> str:
    return f"{part.name} {VERSIONS[part.name]['version']}"


def _fetch(part: Part, console: Console) -> None:
    began = time.monotonic()
    columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        task: TaskID = bars.add_task("", total=None)

        def progress(doing: str, done: int, total: int) -> None:
            count = f" {done} of {total} packages" if total else ""
            bars.update(task, description=doing + count, completed=done, total=total or None)

        part.fetch(progress)
    console.print(f"  {_title(part)} is ready after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
