"""What a build is doing: a bar on a terminal, a line for each stage elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from collector.stack import go


@contextmanager
def reported(title: str, console: Console) -> Iterator[go.Progress]:
    """Gives what a build calls with its progress; says at the end how long it took."""
    began = time.monotonic()
    if console.is_terminal:
        with _bar(console) as progress:
            yield progress
    else:
        yield _Lines(console)
    console.print(f"  {title} is ready after {time.monotonic() - began:.0f} s")


@contextmanager
def _bar(console: Console) -> Iterator[go.Progress]:
    columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        task: TaskID = bars.add_task("", total=None)

        def progress(doing: str, done: int, total: int) -> None:
            count = f" {done} of {total} packages" if total else ""
            bars.update(task, description=doing + count, completed=done, total=total or None)

        yield progress


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._doing = ""

    def __call__(self, doing: str, done: int, total: int) -> None:
        if doing != self._doing:
            self._doing = doing
            self._console.print(f"  {doing} …")
