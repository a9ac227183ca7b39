"""Builds Go programs, with a count of the packages that are compiled on the way."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from collector.stack import tools

Progress = Callable[[str, int, int], None]
"""Called with what is done, how many packages are compiled, and of how many (0: unknown)."""
_MEMORY: Final = "3GiB"


def environment(**more: str) -> dict[str, str]:
    """For the go command: no cgo, no workspace, bounded memory."""
    own = {"CGO_ENABLED": "0", "GOWORK": "off", "GOMEMLIMIT": _MEMORY, "GOFLAGS": "-buildvcs=false"}
    return {**os.environ, **own, **more}


def source(module: str, version: str, folder: Path) -> Path:
    """The sources of a module, as a folder to build in.

    `go install` refuses modules whose go.mod replaces or excludes others; as the main module it is
    built with just what its authors chose.
    """
    target = folder / "source"
    if not target.exists():
        said = tools.run(
            ["go", "mod", "download", "-json", f"{module}@v{version}"], folder, environment()
        )
        copy = folder / "source.partial"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(json.loads(said)["Dir"], copy, copy_function=shutil.copy)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        copy.rename(target)
    return target


def install(package: str, version: str, folder: Path) -> Path:
    """The program of a package that `go install` takes."""
    tools.run(
        ["go", "install", "-trimpath", f"{package}@v{version}"],
        folder,
        environment(GOBIN=str(folder)),
    )
    return folder / package.rpartition("/")[2]


def build(
    main: Path, packages: Sequence[str], target: Path, progress: Progress, *flags: str
) -> None:
    """Compile `packages` of the module in `main` into the folder `target`."""
    listed = tools.run(["go", "list", *_tags(flags), "-deps", *packages], main, environment())
    total = len(set(listed.split()))
    command = ["go", "build", "-v", "-trimpath", *flags, "-o", f"{target}{os.sep}", *packages]
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=main, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            progress("compiling", len(said), total)
    if process.returncode:
        raise tools.Failed(tools.failure(command, said))


def _tags(flags: Sequence[str]) -> list[str]:
    return [flag for flag in flags if flag.startswith("-tags")]
