"""What a package manager fetches for the tests, once, into the cache of real parts."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.stack import cache

_SERVERS = Path(__file__).parent


def jars(name: str) -> Path:
    """A server's, as its `pom.xml` in the folder `<name>_server` says."""
    command = ["mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", "-DoutputDirectory=lib"]
    return fetched(name, [_SERVERS / f"{name}_server" / "pom.xml"], command, "lib", ["java", "mvn"])


def modules(folder: Path) -> Path:
    """The packages of a Node.js service, as the lock file in its folder says."""
    files = [folder / "package.json", folder / "package-lock.json"]
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    return fetched("node", files, command, "node_modules", ["node", "npm"])


def fetched(
    name: str, files: Sequence[Path], command: Sequence[str], keep: str, needs: Sequence[str]
) -> Path:
    """The folder `keep` that `command` makes in a folder with these files.

    Skips the test where a program of `needs`, named as Debian's package, is not there.
    """
    missing = [program for program in needs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}, which is not here: apt-get install it")
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = cache.root() / f"{name}-{state}"
    with cache.alone(lambda: None):
        if not folder.exists():
            with cache.filled(folder, [keep]) as building:
                for file in files:
                    shutil.copy(file, building)
                done = subprocess.run(
                    command,
                    cwd=building,
                    env={**os.environ, "npm_config_update_notifier": "false"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{command[0]} cannot fetch:\n{done.stderr[-2000:]}"
    return folder / keep
