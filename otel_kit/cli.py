"""The command line: ``otel-kit COMMAND``.

A command is a function that adds its parser and names what runs it; it imports what it needs only
when it runs, so that the bare package's command line works without extras.  To add one: write the
function and name it in `_COMMANDS`.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otel_kit.exceptions import MissingExtra, OtelKitError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Commands = _SubParsersAction[argparse.ArgumentParser]
    Beside = Callable[[str], AbstractContextManager[object]]

_SIZE: Final = re.compile(r"(\d{1,9})\s*([KMGT]?)i?B?", re.IGNORECASE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, 2 for bad input."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except OtelKitError as error:
        print(f"otel-kit: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otel-kit", description="Observability of hops and sagas."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser


def _add_up(commands: "Commands") -> None:
    parser = commands.add_parser(
        "up", help="embedded collector: OTLP in, store, query API; and the explorer"
    )
    _add_host(parser)
    parser.add_argument("--otlp-grpc-port", type=_port, default=4317, help="%(default)s; 0: any")
    parser.add_argument("--otlp-http-port", type=_port, default=4318, help="%(default)s; 0: any")
    parser.add_argument("--query-port", type=_port, default=16686, help="%(default)s; 0: any")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, default=_default_data(), help="folder (%(default)s)")
    where.add_argument("--ephemeral", action="store_true", help="keep nothing after the end")
    parser.add_argument(
        "--max-size", type=_size, default="2GB", help="oldest traces go beyond it (%(default)s)"
    )
    parser.add_argument(
        "--stuck-after",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="a running saga quiet for longer is stuck (%(default)s)",
    )
    pages = parser.add_mutually_exclusive_group()
    pages.add_argument("--explorer-port", type=_port, default=8501, help="%(default)s; 0: any")
    pages.add_argument("--no-explorer", action="store_true", help="start only the collector")
    parser.set_defaults(run=_up)


def _add_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name of this machine that HTTP clients may use, besides localhost; may be repeated",
    )


def _up(options: argparse.Namespace) -> int:
    try:
        from otel_kit.embedded import Embedded, run
    except ModuleNotFoundError as error:
        raise MissingExtra("otel-kit up", "embedded") from error
    explorer = _beside(options)
    run(
        Embedded(
            data=None if options.ephemeral else options.data,
            host=options.host,
            allowed_hosts=tuple(options.allowed_host),
            otlp_grpc_port=options.otlp_grpc_port,
            otlp_http_port=options.otlp_http_port,
            query_port=options.query_port,
            max_size=options.max_size,
            stuck_after=options.stuck_after,
        ),
        explorer,
    )
    return 0


def _beside(options: argparse.Namespace) -> "Beside":
    """What runs the explorer of the collector at a URL, if it is wanted and installed."""
    from otel_kit.explorer import child

    if options.no_explorer:
        return nullcontext
    if not child.is_installed():
        print(f"no explorer: {MissingExtra('it', 'explorer')}")
        return nullcontext
    child.check_port(options.host, options.explorer_port)
    where = (options.host, options.explorer_port, tuple(options.allowed_host))
    return lambda collector: child.beside(collector, *where, say=print)


def _default_data() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "otel-kit"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _size(text: str) -> int:
    """Bytes of ``500MB`` or ``2GB``; units are powers of 1024."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: use for example 500MB or 2GB")
    return int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")


def _add_run(commands: "Commands") -> None:
    parser = commands.add_parser(
        "run",
        help="run a program instrumented: otel-kit run -- python app.py",
        description="Settings come from the environment; OTEL_SERVICE_NAME names the service.",
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the program and its arguments")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from otel_kit._run import run_command

    return run_command(options.command)


def _add_doctor(commands: "Commands") -> None:
    parser = commands.add_parser(
        "doctor",
        help="what is wrong with this environment and the telemetry that arrives",
        description="Exits 0 if nothing is wrong, 1 if something is; each line says what to do.",
    )
    parser.add_argument(
        "--url", type=_url, help="query API of otel-kit up (http://127.0.0.1:16686)"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from otel_kit import doctor

    findings = list(doctor.examine(options.url))
    if options.json:
        print(json.dumps(doctor.as_json(findings)))
    else:
        print(doctor.as_text(findings, sys.stdout.encoding))
    return 1 if doctor.problems(findings) else 0


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:16686")
    return text


def _add_explore(commands: "Commands") -> None:
    parser = commands.add_parser("explore", help="the saga-trace explorer, in a browser")
    _add_host(parser)
    parser.add_argument("--port", type=_port, default=8501, help="%(default)s; 0: any")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--url", type=_url, help="query API of otel-kit up (http://127.0.0.1:16686)"
    )
    source.add_argument("--jaeger", type=_url, help="read from Jaeger's query API")
    source.add_argument(
        "--bundle", type=Path, metavar="FILE", help="a saga that was saved from the explorer"
    )
    parser.add_argument("--prometheus", type=_url, metavar="URL", help="figures for --jaeger")
    parser.add_argument("--leash", action="store_true", help="end when standard input is closed")
    parser.set_defaults(run=_explore)


def _explore(options: argparse.Namespace) -> int:
    from otel_kit.explorer import child

    if not child.is_installed():
        raise MissingExtra("otel-kit explore", "explorer")
    from otel_kit.explorer import run
    from otel_kit.explorer.options import COLLECTOR, Options

    wanted = Options(
        collector=options.url or COLLECTOR,
        jaeger=options.jaeger or "",
        prometheus=options.prometheus or "",
        bundle=str(options.bundle or ""),
    )
    return run.serve(wanted, options.host, options.port, options.allowed_host, leash=options.leash)


def _add_export(commands: "Commands") -> None:
    parser = commands.add_parser(
        "export", help="write the bundled Grafana dashboards, or Prometheus configuration and rules"
    )
    parser.add_argument("kind", choices=("dashboards", "rules"))
    parser.add_argument("directory", type=Path, metavar="DIR", help="made if it is not there")
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    from otel_kit._bundled import export

    for path in export(options.kind, options.directory):
        print(path)
    return 0


_COMMANDS: Final[tuple[Callable[["Commands"], None], ...]] = (
    _add_up,
    _add_explore,
    _add_run,
    _add_doctor,
    _add_export,
)

if __name__ == "__main__":
    sys.exit(main())
