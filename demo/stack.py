"""``python -m demo.stack``: the demo on the real parts instead of the embedded ones.

Kafka, Collector, Jaeger and Prometheus as `make stack` has built them, and the explorer on the
latter two.  What it does not know itself it hands on to ``python -m demo``.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from collector.stack.one_machine import PORTS, OneMachine, free_ports
from collector.stack.process import HOST, NotReady, Process, free_port
from collector.stack.run import NotBuilt
from demo import config
from demo.launcher.exceptions import DemoError, InvalidUse
from demo.launcher.ports import check_free

EXPLORER_PORT: Final = 8501
SEEN_SOON: Final = {
    "OTELCOL_SHARE": "100",
    "OTELCOL_TRACE_WAIT": "2s",
    "OTELCOL_DECISION_WAIT": "5s",
    "OTELCOL_GRAPH_INTERVAL": "5s",
}
"""A demo is watched while it runs: every order is kept, and seen sooner than in production."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the demo ends or is told to; its exit code, 1 if a part fails, 2 for wrong use."""
    given, rest = _parser().parse_known_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(given.dir.resolve(), given.ports == "auto", rest)
    except InvalidUse as error:
        print(error, file=sys.stderr)
        return 2
    except (DemoError, NotBuilt, NotReady) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo.stack",
        description="The demo on real Kafka, Collector, Jaeger and Prometheus.",
        epilog="Other options are those of python -m demo.",
    )
    add = parser.add_argument
    add("--ports", choices=["fixed", "auto"], default="fixed", help="auto: whichever are free")
    add("--dir", type=Path, default=Path(".cache/demo-stack"), help="folder of this run")
    return parser


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _run(folder: Path, automatic: bool, demo_arguments: Sequence[str]) -> int:
    ports = free_ports() if automatic else PORTS
    explorer_port = free_port() if automatic else EXPLORER_PORT
    check_free({**ports, "explorer": explorer_port})
    shutil.rmtree(folder / "parts", ignore_errors=True)
    told = {name: os.environ.get(name, value) for name, value in SEEN_SOON.items()}
    print("starting Jaeger, Prometheus, the Collector and Kafka …", flush=True)
    with ExitStack() as running:
        stack = running.enter_context(OneMachine(folder / "parts", ports, told, "5s"))
        explorer = _explorer(stack, explorer_port)
        running.callback(explorer.stop)
        explorer.start()
        _say_where(stack, explorer_port)
        command = [sys.executable, "-m", "demo", "--no-collector", "--dir", str(folder)]
        command += ["--ports", "auto"] if automatic else []
        return _demo([*command, *demo_arguments], stack, explorer)


def _explorer(stack: OneMachine, port: int) -> Process:
    command = [sys.executable, "-m", "otel_kit.cli", "explore", "--port", str(port)]
    command += ["--jaeger", stack.url("jaeger"), "--prometheus", stack.url("prometheus")]
    ready = f"http://{HOST}:{port}/_stcore/health"
    return Process("explorer", command, stack.folder / "explorer", ready)


def _say_where(stack: OneMachine, explorer_port: int) -> None:
    print(f"explorer    http://{HOST}:{explorer_port}")
    for name in ("jaeger", "prometheus"):
        print(f"{name:11} {stack.url(name)}")
    print(f"kafka       {stack.address('kafka')}")
    print(f"parts       {stack.folder}", flush=True)


def _demo(command: Sequence[str], stack: OneMachine, explorer: Process) -> int:
    """Run the demo; Ctrl-C reaches it by itself, and it cleans up before we do."""
    environment = {
        **os.environ,
        config.BOOTSTRAP_SERVERS: stack.address("kafka"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url("otlp"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    parts = [explorer, *(getattr(stack, name) for name in stack.parts)]
    with subprocess.Popen(command, env=environment) as demo:
        try:
            while demo.poll() is None:
                _check(parts)
                time.sleep(0.5)
        finally:
            if demo.poll() is None:
                demo.send_signal(signal.SIGINT)
            demo.wait()
    return demo.returncode


def _check(parts: Sequence[Process]) -> None:
    for part in parts:
        if not part.running:
            raise DemoError(f"{part.name} ended on its own: see {part.log}")


if __name__ == "__main__":
    sys.exit(main())
