"""The explorer in a process of its own, beside a collector: neither slows the other down."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Event, Thread
from typing import Final

from otel_kit._listening import listen

_GRACE_S: Final = 5.0
"""Seconds between asking and forcing."""


def is_installed() -> bool:
    """Whether the explorer's extra is there."""
    return all(find_spec(name) for name in ("streamlit", "plotly", "httpx"))


@contextmanager
def beside(
    collector: str, host: str, port: int, allowed_hosts: tuple[str, ...], say: Callable[[str], None]
) -> Iterator[None]:
    """Explore `collector` as long as this lasts; the child says itself where.

    It ends with this process, however that ends.  `say` is told when it ends on its own.
    """
    command = [sys.executable, "-m", "otel_kit.cli", "explore", "--leash", "--url", collector]
    command += ["--host", host, "--port", str(port)]
    command += [word for name in allowed_hosts for word in ("--allowed-host", name)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    ending = Event()

    def watch() -> None:
        code = process.wait()
        if not ending.is_set():
            say(f"the explorer ended with code {code}; the collector goes on")

    Thread(target=watch, name="otel-kit-explorer", daemon=True).start()
    try:
        yield
    finally:
        ending.set()
        _end(process)


def check_port(host: str, port: int) -> None:
    """Raises PortTaken if the explorer could not listen there."""
    listen(host, port, "--explorer-port").close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
