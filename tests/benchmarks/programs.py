"""The processes of a benchmark: helpers whose CPU counts for nobody, and what is measured."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import environments, peers

_ROOT: Final = Path(__file__).parents[2]
_FOREIGN: Final = ("OTEL_", "DD_", "SENTRY_", "LOGFIRE_", "FASTAPI_", "PYTEST_", "PYTHONPATH")
"""Variables of the reader's own that would change what is measured."""
_SHOWN: Final = (
    "fastapi", "ddtrace", "logfire", "sentry-sdk", "opentelemetry-sdk",
    "opentelemetry-instrumentation-fastapi", "httpx", "grpcio", "aiokafka",
)  # fmt: skip

_COUNTING_S: Final = 180
"""A program runs ten to fifty times slower while its instructions or allocations are counted."""


class Failed(Exception):
    """A measurement ended with an error; says which."""


@contextmanager
def helper(module: str) -> Iterator[str]:
    """A process of the project's environment; what it prints first.  It ends with its input."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if not (line := process.stdout.readline().strip()):
                raise Failed(f"{module} did not start")
            yield line
        finally:
            process.stdin.close()


class Programs:
    """Runs programs of this package in the environments of the subjects."""

    def __init__(self, sink: str, broker: str) -> None:
        self._sink, self._broker = sink, broker
        self._pythons: dict[str, Path] = {}

    def add(self, subject: str, python: Path) -> None:
        """This subject runs with that interpreter."""
        self._pythons[subject] = python

    def versions(self, subject: str) -> dict[str, str]:
        """Of the packages that matter."""
        return environments.versions(self._pythons[subject], _SHOWN)

    def command(self, subject: str, module: str, *arguments: str) -> list[str]:
        """A program of this package, in the subject's environment."""
        python = str(self._pythons[subject])
        return [python, "-m", f"tests.benchmarks.{module}", subject, *arguments]

    def environment(self, subject: str, ratio: float, sink: str = "") -> dict[str, str]:
        """The variables of a subject's process."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        own = peers.load(subject).environment(sink or self._sink, ratio)
        return kept | own | {"PYTHONHASHSEED": "0"}

    def measure(
        self,
        subject: str,
        work: str,
        ratio: float,
        *options: str,
        sink: str = "",
        timeout: int = 60,
    ) -> dict[str, Any]:
        """What `measure.py` found within `timeout` seconds.  Raises Failed."""
        where = ("--sink", sink or self._sink, "--broker", self._broker)
        command = self.command(subject, "measure", work, *where, *options)
        done = _run(command, self.environment(subject, ratio, sink), timeout)
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found

    def count(
        self,
        tool: Sequence[str],
        subject: str,
        work: str,
        ratio: float,
        *,
        hops: int,
        rounds: int = 1,
        **variables: str,
    ) -> str:
        """What `tool` said of `counted.py`, which it ran.  Raises Failed."""
        where = ("--sink", self._sink, "--broker", self._broker)
        options = ("--hops", str(hops), "--rounds", str(rounds))
        command = [*tool, *self.command(subject, "counted", work, *where, *options)]
        return _run(command, self.environment(subject, ratio) | variables, _COUNTING_S).stderr


def _run(
    command: Sequence[str], environment: dict[str, str], timeout: int
) -> subprocess.CompletedProcess[str]:
    """Raises Failed."""
    try:
        done = subprocess.run(
            command, cwd=_ROOT, env=environment, timeout=timeout,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Failed(f"took longer than {timeout} s") from error
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return done
