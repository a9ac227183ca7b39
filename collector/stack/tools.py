"""The toolchains that parts are built with: found, or asked for in one sentence."""

import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final


class Failed(Exception):
    """A command failed; the message has its last lines."""


_ASKED: Final = {
    "go": (["go", "version"], r"go(\d+)\.(\d+)", (1, 26), "Go 1.26 or newer (go.dev/dl)"),
    "java": (["java", "-version"], r'version "(\d+)(?:\.(\d+))?', (17, 0), "Java 17 or newer"),
    "mvn": (["mvn", "--version"], r"Maven (\d+)\.(\d+)", (3, 6), "Maven 3.6 or newer"),
}
_LINES: Final = 15
_ATTEMPTS: Final = 3
_PAUSE_S: Final = 5.0
_PASSING: Final = re.compile(
    r"timeout|timed out|refused|reset by peer|unexpected EOF|TLS handshake|no such host"
    r"|unknown host|failure in name resolution|unreachable|\b(?:429|50[0234])\b",
    re.IGNORECASE,
)
"""What it looks like when a registry does not answer; it may the next time."""
_NO_ANSWER: Final = """
A registry did not answer: check the network, Go's GOPROXY and Maven's settings.xml."""


def problems(names: Sequence[str]) -> list[str]:
    """A sentence for each of go, java and mvn that will not do."""
    return [problem for name in names if (problem := _problem(name))]


def _problem(name: str) -> str:
    command, pattern, least, wanted = _ASKED[name]
    if shutil.which(name) is None:
        return f"{name} is not installed: install {wanted}"
    answer = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, answer.stdout + answer.stderr)
    if found and tuple(int(part or 0) for part in found.groups()) >= least:
        return ""
    return f"{name} is {found[0] if found else 'of an unknown version'}: install {wanted}"


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What it prints; raises `Failed`.  A registry that does not answer is asked three times."""
    for attempt in range(1, _ATTEMPTS + 1):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if not done.returncode:
            return done.stdout
        said = done.stdout + done.stderr
        problem = failure(command, said.splitlines())
        if not _PASSING.search(said):
            raise Failed(problem)
        if attempt < _ATTEMPTS:
            time.sleep(_PAUSE_S)
    raise Failed(problem + _NO_ANSWER)


def failure(command: Sequence[str], lines: Sequence[str]) -> str:
    """What to say of a command that failed, with the end of what it said."""
    shown = "\n".join(f"  {line.rstrip()}" for line in lines[-_LINES:])
    return f"{' '.join(command[:3])} … failed:\n{shown}"
