"""The command line of the demo."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from demo import config, faults
from demo.launcher import ports
from demo.launcher.exceptions import DemoError, InvalidUse
from demo.launcher.folder import check_in_use
from demo.launcher.options import Options
from demo.launcher.run import run
from otel_kit.explorer import child

EPILOG = """
while it runs:  make demo ARGS="fault bank-down on"     (or off)
a real broker:  KAFKA_BOOTSTRAP_SERVERS=host:9092 python -m demo
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0, 1 if something failed, or 2 if it was asked for wrongly."""
    given = _parser().parse_args(arguments)
    os.environ[config.DIRECTORY] = str(given.dir.resolve())
    try:
        if given.list_faults:
            return _list_faults()
        if given.command == "fault":
            return _switch(given.name, given.state)
        return asyncio.run(run(_options(given)))
    except InvalidUse as error:
        print(error, file=sys.stderr)
        return 2
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="An order saga in real processes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_traffic(parser)
    _add_surroundings(parser)
    commands = parser.add_subparsers(dest="command", metavar="")
    fault = commands.add_parser("fault", help="switch a fault of the running demo")
    fault.add_argument("name")
    fault.add_argument("state", choices=["on", "off"])
    return parser


def _add_traffic(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--orders", type=_positive(int), metavar="N", help="place N orders (default: no end)")
    add("--once", action="store_true", help="end when the orders have (--orders: 20)")
    add("--rate", type=_positive(float), default=5.0, metavar="R", help="orders a second (5)")
    add(
        "--wait",
        type=_positive(float),
        default=60.0,
        metavar="S",
        help="with --once: wait S s (60)",
    )
    add("--fault", action="append", default=[], metavar="NAME", help="start with a fault on")
    add("--list-faults", action="store_true", help="say what can be broken")


def _add_surroundings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    names = ", ".join(config.PORTS)
    add("--ports", choices=["fixed", "auto"], default="fixed", help="auto: whichever are free")
    add("--port", action="append", default=[], metavar="NAME=N", help=f"choose a port: {names}")
    add("--dir", type=Path, default=config.directory(), help="folder of this run (.cache/demo)")
    add(
        "--no-collector",
        action="store_true",
        help="start no collector; telemetry goes where OTEL_EXPORTER_OTLP_ENDPOINT says",
    )
    add(
        "--explorer",
        action=argparse.BooleanOptionalAction,
        help="the explorer's pages in a browser (not with --once, unless asked for)",
    )


def _positive(kind: type[int] | type[float]) -> type:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < 1e9:
            raise ValueError
        return value

    number.__name__ = f"positive {kind.__name__}"  # argparse names it in its message
    return number  # type: ignore[return-value]


def _options(given: argparse.Namespace) -> Options:
    return Options(
        orders=given.orders or (20 if given.once else None),
        once=given.once,
        rate=given.rate,
        wait=given.wait,
        faults=[_fault(name) for name in given.fault],
        ports=ports.choose(given.port, automatic=given.ports == "auto"),
        collector=not given.no_collector,
        explorer=_explorer(given),
    )


def _explorer(given: argparse.Namespace) -> bool:
    wanted = not (given.once or given.no_collector) if given.explorer is None else given.explorer
    if wanted and given.no_collector:
        raise InvalidUse("--explorer shows what the demo's collector has: omit --no-collector")
    if wanted and not child.is_installed():
        print("no explorer: it needs more packages: pip install 'otel-kit[explorer]'")
        return False
    return bool(wanted)


def _list_faults() -> int:
    for fault, effect in faults.EFFECTS.items():
        print(f"{fault:20} {effect}")
    return 0


def _switch(name: str, state: str) -> int:
    fault = _fault(name)
    check_in_use(config.directory())
    faults.switch(fault, on=state == "on")
    print(f"{fault} is {state}")
    return 0


def _fault(name: str) -> faults.Fault:
    try:
        return faults.named(name)
    except faults.UnknownFault as error:
        raise InvalidUse(str(error)) from error
