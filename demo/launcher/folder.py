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
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = f"a demo already runs in {directory}: stop it, or choose another with --dir"
            raise InvalidUse(reason) from None
        for name in CONTENT:
            shutil.rmtree(directory / name, ignore_errors=True)
            (directory / name).mkdir()
        yield
