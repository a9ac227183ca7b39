"""A virtual environment for each subject, of the newest versions, kept outside the work tree."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.peers.base import Peer
from tests.benchmarks.work.base import PACKAGES

_UV: Final = Path(sys.executable).parent / "uv"
_FRESH_S: Final = 7 * 24 * 3600
"""Newest versions are looked for again after a week."""


class CannotInstall(Exception):
    """A subject's packages could not be installed; says why."""


def root() -> Path:
    """``OTEL_KIT_BENCH``, else a folder in the user's cache."""
    if given := os.environ.get("OTEL_KIT_BENCH"):
        return Path(given).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-kit" / "bench"


def python(name: str, peer: Peer, say: Callable[[str], None]) -> Path:
    """The interpreter of a subject's environment, made if needed.  Raises CannotInstall."""
    packages = [*PACKAGES, *peer.packages]
    folder = root() / f"{name}-{_key(packages)}"
    found, stamp = folder / "bin" / "python", folder / "stamp"
    if not (stamp.exists() and time.time() - stamp.stat().st_mtime < _FRESH_S):
        say(f"{name}: making its environment")
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(found), *packages)
        stamp.touch()
    return found


def versions(interpreter: Path, wanted: Sequence[str]) -> dict[str, str]:
    """Of the packages that begin like one of `wanted`."""
    listed = _uv("pip", "list", "--format", "freeze", "--python", str(interpreter))
    pairs = (line.partition("==")[::2] for line in listed.splitlines())
    return {name: version for name, version in pairs if name in wanted}


def _key(packages: Sequence[str]) -> str:
    about = "\n".join([sys.version, *packages])
    return hashlib.sha256(about.encode()).hexdigest()[:12]


def _uv(*arguments: str) -> str:
    done = subprocess.run([str(_UV), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotInstall(done.stderr.strip().splitlines()[-1] if done.stderr else "uv failed")
    return done.stdout
