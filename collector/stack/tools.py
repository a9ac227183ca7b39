"""The toolchains that parts are built with: found, or asked for in one sentence."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final


class Missing(Exception):
    """A toolchain is not there or too old; the message says what to install."""


class Failed(Exception):
    """A command failed; the message has its last lines."""


_ASKED: Final = {
    "go": (["go", "version"], r"go(\d+)\.(\d+)", (1, 26), "Go 1.26 or newer (go.dev/dl)"),
    "java": (["java", "-version"], r'version "(\d+)(?:\.(\d+))?', (17, 0), "Java 17 or newer"),
    "mvn": (["mvn", "--version"], r"Maven (\d+)\.(\d+)", (3, 6), "Maven 3.6 or newer"),
}
_LINES: Final = 15


def require(names: Sequence[str]) -> None:
    """Raise `Missing` for the first of go, java and mvn that will not do."""
    for name in names:
        command, pattern, least, wanted = _ASKED[name]
        if shutil.which(name) is None:
            raise Missing(f"{name} is not installed: install {wanted}")
        answer = subprocess.run(command, capture_output=True, text=True)
        found = re.search(pattern, answer.stdout + answer.stderr)
        if not found or tuple(int(part or 0) for part in found.groups()) < least:
            said = found[0] if found else "of an unknown version"
            raise Missing(f"{name} is {said}: install {wanted}")


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What it prints; raises `Failed`."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-_LINES:])
        raise Failed(f"{' '.join(command[:3])} …:\n{last}")
    return done.stdout
