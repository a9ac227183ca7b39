"""Where built parts are kept: one folder each, named by part and version, complete or not there."""

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """``OTEL_KIT_STACK``, else a folder in the user's cache."""
    if given := os.environ.get("OTEL_KIT_STACK"):
        return Path(given).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-kit" / "stack"


@contextmanager
def filled(folder: Path, keep: Collection[str]) -> Iterator[Path]:
    """A folder to build in, that becomes `folder` if the build succeeds; of it, `keep` is kept.

    An interrupted build leaves it for the next one to go on with.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    yield partial
    for path in partial.iterdir():
        if path.name not in keep:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


@contextmanager
def alone(waiting: Callable[[], None]) -> Iterator[None]:
    """Nobody else builds in this cache within; calls `waiting` if somebody does now."""
    root().mkdir(parents=True, exist_ok=True)
    with (root() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
