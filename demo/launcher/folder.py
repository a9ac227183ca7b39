"""The folder of a run."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from demo.launcher.exceptions import InvalidUse

CONTENT: Final = ("databases", "faults", "logs", "telemetry")


@contextmanager
def fresh(directory: Path) -> Iterator[None]:
    """Hold the folder for one run, empty of what an earlier one left.

    Raises:
        InvalidUse: another demo runs in it.
    """
    with _lock(directory) as first:
        if not first:
            reason = f"a demo already runs in {directory}: stop it, or choose another with --dir"
            raise InvalidUse(reason)
        for name in CONTENT:
            shutil.rmtree(directory / name, ignore_errors=True)
            (directory / name).mkdir()
        yield


def check_in_use(directory: Path) -> None:
    """Make sure that a demo runs in the folder.

    Raises:
        InvalidUse: none does.
    """
    with _lock(directory) as first:
        if first:
            raise InvalidUse(f"no demo runs in {directory}: start one, or name its folder by --dir")


@contextmanager
def _lock(directory: Path) -> Iterator[bool]:
    """Yield whether nobody else holds the folder; the system gives it back when we end."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
