"""The explorer in a process of its own, as ``otel-kit explore`` starts it."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

OTEL_KIT = (sys.executable, "-m", "otel_kit.cli")


@dataclass
class Explorer:
    """Running pages."""

    url: str
    process: "subprocess.Popen[str]"

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def explorer(*options: str) -> Iterator[Explorer]:
    """Serving on a free port, ended at the end; no page may have failed."""
    command = [*OTEL_KIT, "explore", "--port", "0", "--leash", *options]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        try:
            yield Explorer(url_of(process), process)
            assert process.poll() in (None, 0), f"the explorer ended with {process.returncode}"
        finally:
            process.kill()
            said.seek(0)
            problems = said.read()
        assert "Uncaught app execution" not in problems, problems


def url_of(process: "subprocess.Popen[str]") -> str:
    """Waits for the line that says where the explorer is."""
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        word, _, rest = line.partition(" ")
        if word == "explorer":
            return rest.split()[0]
    raise AssertionError("the explorer did not start:\n" + "".join(said))
