"""What happens in a program that ``otel-kit run`` started, before the program itself.

This folder is first on the program's PYTHONPATH; Python imports ``sitecustomize`` from it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Final

_NAME: Final = "_OTEL_KIT_RUN_SERVICE"
"""The name for processes that have none of their own, such as those multiprocessing spawns."""
_HELPERS: Final = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Python processes that run nothing of the application's."""


def start() -> None:
    """Instrument this process.  A problem is told in one sentence; the program runs anyway."""
    if any(helper in argument for argument in sys.orig_argv for helper in _HELPERS):
        return
    from otel_kit._instrument import autostart
    from otel_kit.exceptions import OtelKitError

    name = program_name(sys.orig_argv) or os.environ.get(_NAME)
    if name:
        os.environ[_NAME] = name
    try:
        autostart(name)
    except OtelKitError as error:
        sys.stderr.write(f"otel-kit run: {error} The program runs without telemetry.\n")


def program_name(command: Sequence[str]) -> str | None:
    """What a Python command line runs: the module after ``-m``, or the script without its ending.

    None for ``-c`` and for a program read from standard input.
    """
    arguments = iter(command[1:])
    for argument in arguments:
        if argument.startswith("--"):
            if argument == "--check-hash-based-pycs":
                next(arguments, None)
        elif argument.startswith("-"):
            kind, value = _option(argument, arguments)
            if kind:
                return value.removesuffix(".__main__") or None
        else:
            path = PurePath(argument)
            return path.parent.name if path.name == "__main__.py" else path.stem
    return None


def _option(argument: str, rest: Iterator[str]) -> tuple[str, str]:
    """Python's short options may be written together: ``-um module``, ``-Wignore``."""
    letters = argument[1:]
    for place, letter in enumerate(letters, start=1):
        if letter in "WX":
            if not letters[place:]:
                next(rest, None)
            return "", ""
        if letter == "m":
            return "m", letters[place:] or next(rest, "")
        if letter == "c":
            return "c", ""
    return ("", "") if letters else ("stdin", "")
