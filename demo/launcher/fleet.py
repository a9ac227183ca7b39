"""All processes of the demo: in which order they start and end, and what they are told."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn

import httpx

from demo import config
from demo.launcher.child import Child
from demo.launcher.exceptions import ChildDied, DemoError
from demo.launcher.options import Options
from demo.launcher.real_broker import create_topics

SERVICES: Final = ("bank", "web", "orders", "inventory", "billing", "notifications", "analytics")
START_LIMIT: Final = 60.0
"""Seconds until every process must be ready."""


class Fleet:
    """``async with Fleet(...)``: everything is ready within, and has ended after."""

    def __init__(self, options: Options, directory: Path, say: Callable[[str], None]) -> None:
        """``say`` tells the user what happens while the demo runs."""
        self._say = say
        self._options = options
        self._logs = directory / "logs"
        self._data = directory / "telemetry"
        self._environment = environment(options, directory)
        self._children: list[Child] = []

    async def __aenter__(self) -> "Fleet":
        try:
            async with asyncio.timeout(START_LIMIT):
                await self._start()
        except TimeoutError:
            await self.stop()
            reason = f"not everything was ready within {START_LIMIT:.0f} s: see {self._logs}"
            raise DemoError(reason) from None
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def died(self) -> NoReturn:
        """Wait until a process ends on its own.

        Raises:
            ChildDied: when one does.
        """
        watching = self._watching()
        needed = [child for child in self._children if child.name not in watching]
        kept = (self._keep(name, launch) for name, launch in watching.items())
        await _all(*(child.died() for child in needed), *kept)
        raise AssertionError("children that end raise")

    def _watching(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What only watches the shop, with what launches it."""
        launches = {}
        if self._options.collector:
            launches["collector"] = self._launch_collector
        if self._options.explorer:
            launches["explorer"] = self._launch_explorer
        return launches

    async def _keep(self, name: str, launch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a child again when it ends: services hold back what a collector misses."""
        while True:
            for child in [each for each in self._children if each.name == name]:
                try:
                    await child.died()
                except ChildDied as error:
                    self._say(f"{str(error).partition(';')[0]}: starting it again")
                self._children.remove(child)
            await launch()

    async def stop_services(self) -> None:
        """End the services; they send the rest of their telemetry before they go.

        Analytics goes last: it hears of the end of an order when everybody else has.
        """
        await self._stop({*SERVICES} - {"analytics"})
        await self._stop({"analytics"})

    async def stop(self) -> None:
        await self.stop_services()
        await self._stop({child.name for child in self._children})

    async def _stop(self, names: set[str]) -> None:
        going = [child for child in self._children if child.name in names]
        self._children = [child for child in self._children if child.name not in names]
        await asyncio.gather(*(child.stop() for child in going))

    async def _start(self) -> None:
        watching = [launch() for launch in self._watching().values()]
        await _all(*watching, self._launch_service("bank"), self._start_around_broker())

    async def _start_around_broker(self) -> None:
        if config.BOOTSTRAP_SERVERS in os.environ:
            await create_topics(config.bootstrap_servers())
        else:
            broker = await (await self._child("broker", "demo.services.broker")).ready()
            self._environment[config.BOOTSTRAP_SERVERS] = broker
            self._environment[config.IN_MEMORY_BROKER] = "true"
        await _all(*(self._launch_service(name) for name in SERVICES if name != "bank"))

    async def _launch_service(self, name: str) -> None:
        await (await self._child(name, f"demo.services.{name}")).ready()

    async def _launch_collector(self) -> None:
        ports = self._options.ports
        await self._launch_serving(
            "collector",
            f"http://{config.HOST}:{ports['query']}/healthz",
            *("otel_kit.cli", "up", "--no-explorer", "--data", str(self._data)),
            *("--otlp-grpc-port", str(ports["otlp"])),
            *("--otlp-http-port", str(ports["otlp-http"])),
            *("--query-port", str(ports["query"])),
        )

    async def _launch_explorer(self) -> None:
        ports = self._options.ports
        await self._launch_serving(
            "explorer",
            f"http://{config.HOST}:{ports['explorer']}/_stcore/health",
            *("otel_kit.cli", "explore", "--port", str(ports["explorer"])),
            *("--url", f"http://{config.HOST}:{ports['query']}"),
        )

    async def _launch_serving(self, name: str, health: str, *command: str) -> None:
        """Start a child and wait until it answers at the URL `health`."""
        child = await self._child(name, *command)
        died = asyncio.create_task(child.died())
        healthy = asyncio.create_task(_healthy(health))
        done, waiting = await asyncio.wait({died, healthy}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        for task in done:
            task.result()

    async def _child(self, name: str, *command: str) -> Child:
        child = Child(name, command, self._logs / f"{name}.log")
        self._children.append(child)
        await child.start(self._environment)
        return child


async def _all(*work: Coroutine[Any, Any, Any]) -> None:
    """Do all of it; the first error ends the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in work:
                group.create_task(coroutine)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _healthy(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                if (await client.get(url, timeout=1.0)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def environment(options: Options, directory: Path) -> dict[str, str]:
    """Return what every process is told."""
    told = {name: value for name, value in os.environ.items() if name != "OTEL_SERVICE_NAME"}
    told |= {config.DIRECTORY: str(directory), "PYTHONUNBUFFERED": "1"}
    for name, port in options.ports.items():
        told[config.address_variable(name)] = f"{config.HOST}:{port}"
    if options.collector:
        told["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{config.HOST}:{options.ports['otlp']}"
        told["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
    # A demo is watched while it runs: export sooner than the defaults (5 s and 60 s).
    told.setdefault("OTEL_BSP_SCHEDULE_DELAY", "500")
    told.setdefault("OTEL_METRIC_EXPORT_INTERVAL", "2000")
    return told
