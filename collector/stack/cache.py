"""Where built parts are kept: one folder each, named by part and version, complete or not there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """``OTEL_KIT_STACK``, else a folder in the user's cache."""
    if given := os.environ.get("OTEL_KIT_STACK"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-kit" / "stack"


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A folder to build in, that becomes `folder` if the build succeeds.

    An interrupted build leaves it for the next one to go on with.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    yield partial
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
