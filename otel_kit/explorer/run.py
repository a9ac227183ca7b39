"""Serves the pages: Streamlit in a process of its own, set up as an engineer's tool."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from otel_kit.explorer.options import Options, environment

_HERE: Final = Path(__file__).parent
_MAX_UPLOAD_MB: Final = 128


def command(host: str, port: int) -> list[str]:
    """The command that serves the pages on `host` and `port`."""
    settings = dict(_settings(host, port))
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "streamlit", "run", str(_HERE / "app.py"), *flags]


def _settings(host: str, port: int) -> Iterator[tuple[str, str | int]]:
    yield "server.address", host
    yield "server.port", port
    yield "server.headless", "true"
    yield "server.fileWatcherType", "none"
    yield "server.maxUploadSize", _MAX_UPLOAD_MB
    yield "browser.gatherUsageStats", "false"
    yield "client.toolbarMode", "minimal"
    yield "client.showErrorDetails", "none"
    yield "logger.level", "warning"
    yield "theme.base", str(_HERE / "theme.toml")


def start(options: Options, host: str, port: int) -> "subprocess.Popen[bytes]":
    """Serve the pages in a new process; the caller ends it."""
    return subprocess.Popen(command(host, port), env=environment(options))


def serve(options: Options, host: str, port: int) -> int:
    """Serve the pages until the process is told to end; returns its exit code."""
    with start(options, host, port) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            return process.wait()
