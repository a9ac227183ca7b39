"""One process of the demo."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from demo.launcher.exceptions import ChildDied
from demo.launcher.leash import GRACE
from demo.runtime.lifecycle import READY

ROOT: Final = Path(__file__).parents[2]
TAIL_LINES: Final = 15


class Child:
    """A Python module in a process group of its own, its output in a log file."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._process: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None

    async def start(self, environment: Mapping[str, str]) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "demo.launcher.leash", *self._command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            cwd=ROOT,
            start_new_session=True,
        )
        self._pump = asyncio.create_task(self._keep_output())

    async def ready(self) -> str:
        """Wait for the ready line; return what follows the word.

        Raises:
            ChildDied: the process ended first.
        """
        died = asyncio.create_task(self.died())
        try:
            await asyncio.wait({self._ready, died}, return_when=asyncio.FIRST_COMPLETED)
            return self._ready.result() if self._ready.done() else await died
        finally:
            died.cancel()

    async def died(self) -> str:
        """Wait until the process has ended.

        Raises:
            ChildDied: always, with the end of the log.
        """
        assert self._process is not None
        assert self._pump is not None
        code = await self._process.wait()
        await asyncio.wait({self._pump})
        lines = self._log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        end = "\n".join(f"  {line}" for line in lines)
        raise ChildDied(f"{self.name} ended with code {code}; the end of {self._log}:\n{end}")

    async def stop(self) -> None:
        """End the process and all it started: ask, and after a grace time force."""
        if self._process is None or self._pump is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._process.wait()
        self._signal(signal.SIGKILL)
        await self._process.wait()
        await self._pump

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _keep_output(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._log.open("wb", buffering=0) as log:
            beginning = b""
            while chunk := await self._process.stdout.read(65_536):
                log.write(chunk)
                if not self._ready.done():
                    beginning = self._look_for_ready(beginning + chunk)

    def _look_for_ready(self, output: bytes) -> bytes:
        *lines, rest = output.split(b"\n")
        for line in lines:
            word, _, detail = line.decode(errors="replace").partition(" ")
            if word == READY and not self._ready.done():
                self._ready.set_result(detail)
        return rest
