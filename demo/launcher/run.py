"""The demo from start to end."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from demo import config, faults
from demo.launcher import report
from demo.launcher.board import Board
from demo.launcher.fleet import Fleet
from demo.launcher.folder import fresh
from demo.launcher.options import Options
from demo.launcher.ports import check_free
from demo.launcher.traffic import Traffic
from demo.launcher.view import view

INTERRUPTED: Final = 130
"""The exit code of a program that Ctrl-C ended before it was done."""
_EXPLORER: Final = f"http://{config.HOST}:{config.PORTS['explorer']}"


async def run(options: Options) -> int:
    """Run the demo; return 0, 1 if orders were left running, or INTERRUPTED.

    Raises:
        InvalidUse: a port is taken, or another demo runs in the same folder.
        DemoError: a process ended on its own or did not get ready.
    """
    directory = config.directory()
    with fresh(directory):
        check_free(options.needed_ports)
        for fault in options.faults:
            faults.switch(fault, on=True)
        code = await _until_signalled(_Run(options, _console()).run())
    return (INTERRUPTED if options.once else 0) if code is None else code


def _console() -> Console:
    # A pipe has no width; rich would cut the table at 80 columns.
    return Console() if sys.stdout.isatty() else Console(width=120)


async def _until_signalled(work: Coroutine[Any, Any, int]) -> int | None:
    """Return what the work returned, or None if a signal ended it; it cleans up either way."""
    task = asyncio.create_task(work)

    def end() -> None:
        if not task.cancelling():  # a second Ctrl-C must not interrupt the cleaning up
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        return await task
    except asyncio.CancelledError:
        return None


class _Run:
    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._board = Board()
        self._web = f"http://{config.HOST}:{options.ports['web']}"
        self._query = f"http://{config.HOST}:{options.ports['query']}"

    async def run(self) -> int:
        self._say("starting …")
        begun = time.monotonic()
        async with Fleet(self._options, config.directory(), self._say) as fleet:
            self._say(f"ready after {time.monotonic() - begun:.1f} s")
            await self._let_orders_flow(fleet)
            if not self._options.once:
                await fleet.died()
            await fleet.stop_services()
            await self._report()
        return 1 if self._board.running or self._not_placed() else 0

    def _not_placed(self) -> int:
        """How many orders of a limited run the shop never took."""
        wanted = self._options.orders if self._options.once else None
        return 0 if wanted is None else wanted - len(self._board.orders)

    async def _let_orders_flow(self, fleet: Fleet) -> None:
        with view(self._console, self._board, self._heading()) as changed:
            traffic = Traffic(self._web, self._board, changed)
            flow = traffic.run(self._options.orders, self._options.rate)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limit()):
                    await _unless(fleet.died(), flow)

    def _limit(self) -> float | None:
        if not self._options.once or self._options.orders is None:
            return None
        return self._options.orders / self._options.rate + self._options.wait

    async def _report(self) -> None:
        known = {}
        if self._options.collector:
            known = await report.stories(self._query, self._board.orders.values())
        report.print_table(self._console, self._board, known)
        if self._board.running:
            self._say(f"{self._board.running} orders had not ended after {self._options.wait:g} s")
        if missing := self._not_placed():
            self._say(f"{missing} orders were not placed: the shop did not take them in time")
        if self._options.collector:
            command = Path(sys.executable).with_name("otel-kit")
            folder = config.directory() / "telemetry"
            self._say(
                f"the collector ends with the demo; start it on the same data with\n"
                f"  {_short(command)} up --data {_short(folder)}\n"
                f"and open {_EXPLORER}, or look at"
            )
            report.print_urls(self._console, self._query, known)

    def _heading(self) -> str:
        lines = []
        if self._options.explorer:
            lines.append(f"explorer  http://{config.HOST}:{self._options.ports['explorer']}")
        lines.append(f"web       {self._web}/orders")
        if self._options.collector:
            lines.append(f"query     {self._query}/api/sagas")
        return "\n".join([*lines, f"logs      {config.directory() / 'logs'}"])

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


async def _unless(failing: Coroutine[Any, Any, Any], work: Coroutine[Any, Any, None]) -> None:
    """Do the work, unless the other ends first: its error is raised."""
    tasks = [asyncio.create_task(failing), asyncio.create_task(work)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
