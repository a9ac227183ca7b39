"""A real part as a process of its own on loopback: started, waited for, killed, started again."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_READY_S: Final = 60.0
_END_S: Final = 20.0


class NotReady(Exception):
    """The part ended or did not answer in time; the message has the end of its log."""


class Process:
    """One part.  `folder` is its working directory and has its log.

    It is ready when `ready` answers: an HTTP address with a status below 400, or ``host:port``
    that takes a connection.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        ready: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._folder = folder
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it is ready; raises `NotReady`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # Ctrl-C in a terminal is for whoever started it, who ends it when its senders have.
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + _READY_S
        while not _answers(self._ready):
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise NotReady(f"{self.name} did not become ready at {self._ready}:\n{last}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as an operator would; it may finish what it does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to finish anything."""
        self._end(signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """Also to what it started."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def free_port() -> int:
    """A port on loopback that nobody listens on, and that this process has not given yet.

    Below those that systems take for outgoing connections: while a part is away, nobody who tries
    to reach it is given its port.  Each process looks in a range of its own.
    """
    for port in _ports():
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError("the range never ends")


@cache
def _ports() -> Iterator[int]:
    first = 15_000 + os.getpid() % 150 * 100
    return cycle(range(first, first + 100))


def _answers(address: str) -> bool:
    try:
        if address.startswith("http"):
            with urllib.request.urlopen(address, timeout=1) as answer:
                return int(answer.status) < 400
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
