"""``otel-kit run -- CMD``: run a program instrumented, with no change to it.

The command takes the place of this process, so its exit status and signals are its own.  Every
Python it starts, itself included, finds our ``sitecustomize`` first on its path.  Exit statuses of
our own follow other wrappers (``env``, ``nohup``): 127 if there is no such command, 126 if it
cannot be run; 2 for a wrong setting or no command at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from otel_kit.exceptions import OtelKitError
from otel_kit.settings import Settings

AUTOSTART = Path(__file__).with_name("_autostart")


def run_command(argv: list[str]) -> int:
    """Run the command in `argv` (a leading ``--`` is skipped); returns only if it cannot.

    Wrong settings are refused before the command is run, in one sentence on stderr.
    """
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        return _refuse(2, "there is no command: write otel-kit run -- python app.py")
    try:
        _check_settings()
    except OtelKitError as error:
        return _refuse(2, str(error))
    program = shutil.which(command[0])
    if program is None:
        if Path(command[0]).exists():
            hint = f"write otel-kit run -- python {command[0]}"
            return _refuse(126, f"{command[0]!r} cannot be executed: {hint}")
        return _refuse(127, f"there is no command {command[0]!r}")
    return _become(program, command)


def _check_settings() -> None:
    from otel_kit.integrations import refuse_unknown

    settings = Settings.from_environment()
    refuse_unknown((*settings.integrations, *settings.disabled_integrations))


def _become(program: str, command: list[str]) -> int:
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    paths = [str(AUTOSTART), *(path for path in paths if path != str(AUTOSTART))]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    if os.name != "posix":  # exec there starts another process and ends this one at once
        return subprocess.run([program, *command[1:]], env=environ, check=False).returncode
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(program, command, environ)
    except OSError as error:
        return _refuse(126, f"{command[0]!r} cannot be executed: {error.strerror}")


def _refuse(status: int, sentence: str) -> int:
    sys.stderr.write(f"otel-kit run: {sentence}\n")
    return status
