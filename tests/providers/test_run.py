"""otel-kit run -- CMD: any Python program, with no change to it, and nothing of its own changed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_kit._autostart import program_name
from otel_kit._run import run_command
from tests.providers.conftest import outcome
from tests.providers.sink import WAIT, Sink

Program = Callable[..., subprocess.Popen[str]]

RUN = "import sys; from otel_kit._run import run_command; sys.exit(run_command(sys.argv[1:]))"
THROUGH = ("-c", RUN, "--", sys.executable)
APP = """
import sys
from opentelemetry import trace
with trace.get_tracer("app").start_as_current_span("work"):
    pass
"""


def services(sink: Sink) -> set[str]:
    """The names under which spans arrived."""
    return {resource["service.name"] for resource in sink.resources()}


def test_program_is_instrumented(program: Program, sink: Sink) -> None:
    """A program that knows nothing of the kit is instrumented, under its script's name."""
    process = program(APP, through=THROUGH, name="shop.py", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert outcome(process)[0] == 0
    assert sink.names() == ["work"]
    assert services(sink) == {"shop"}


def test_environment_names_the_service(program: Program, sink: Sink) -> None:
    """OTEL_SERVICE_NAME names the service before its script does."""
    process = program(
        APP, through=THROUGH, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url, OTEL_SERVICE_NAME="orders"
    )
    assert outcome(process)[0] == 0
    assert services(sink) == {"orders"}


def test_exit_status_is_the_programs(program: Program, sink: Sink) -> None:
    """The exit status, output and arguments are the program's own."""
    text = APP + "print(sys.argv[1:], sys.stdin.read()); sys.exit(7)"
    process = program(text, through=THROUGH, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    out, _ = process.communicate("typed", timeout=WAIT)
    assert (process.returncode, out) == (7, "[] typed\n")


def test_signals_are_the_programs(program: Program, sink: Sink) -> None:
    """A signal to the command is a signal to the program, and telemetry is flushed."""
    text = APP + "import threading; print('ready', flush=True); threading.Event().wait(30)"
    process = program(text, through=THROUGH, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert outcome(process)[0] == -signal.SIGTERM
    assert sink.names() == ["work"]


def test_program_that_instruments_itself(program: Program, sink: Sink) -> None:
    """A program that calls instrument() itself keeps its name and is instrumented once."""
    text = "from otel_kit._instrument import instrument\ninstrument('orders')\n" + APP
    process = program(text, through=THROUGH, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    status, _, errors = outcome(process)
    assert (status, errors) == (0, "")
    assert sink.names() == ["work"]
    assert services(sink) == {"orders"}


def test_children_are_instrumented(program: Program, sink: Sink) -> None:
    """Programs that the program starts are instrumented too, however they are started."""
    text = f"""
import multiprocessing, subprocess, sys
{APP}
def work():
    with trace.get_tracer("app").start_as_current_span("spawned"):
        pass

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    child = multiprocessing.Process(target=work)
    child.start()
    child.join()
    subprocess.run([sys.executable, "-c", {APP!r}], check=True)
"""
    process = program(text, through=THROUGH, name="shop.py", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    status, _, errors = outcome(process)
    assert (status, errors) == (0, "")
    # multiprocessing runs the module again in the child, hence three times "work".
    assert sink.names() == ["spawned", "work", "work", "work"]
    assert services(sink) == {"shop"}


def test_own_sitecustomize_is_kept(program: Program, sink: Sink, tmp_path: Path) -> None:
    """A sitecustomize that the user has on PYTHONPATH is imported as well."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import builtins; builtins.theirs = 1")
    text = APP + "import sitecustomize; print(theirs, sitecustomize.__file__)"
    process = program(
        text,
        through=THROUGH,
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.url,
        PYTHONPATH=str(tmp_path / "site"),
    )
    status, out, _ = outcome(process)
    assert (status, out) == (0, f"1 {tmp_path / 'site' / 'sitecustomize.py'}\n")
    assert sink.names() == ["work"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_TRACES_SAMPLER", "sometimes"), ("OTEL_KIT_INTEGRATIONS", "no-such-library")],
)
def test_wrong_setting_is_refused(program: Program, variable: str, value: str) -> None:
    """A wrong setting is refused in one sentence, with exit status 2, and nothing is run."""
    process = program("print('ran')", through=THROUGH, **{variable: value})
    status, out, errors = outcome(process)
    assert (status, out) == (2, "")
    assert errors.startswith("otel-kit run: ")
    assert value in errors
    assert errors.count("\n") == 1


def test_problem_at_the_start_is_told(program: Program) -> None:
    """A problem that shows only in the program's process is told, and the program runs."""
    process = program(
        "print('ran')",
        through=THROUGH,
        OTEL_SERVICE_NAME="x",
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_HOST="192.0.2.1",
    )
    status, out, errors = outcome(process)
    assert (status, out) == (0, "ran\n")
    assert "OTEL_EXPORTER_PROMETHEUS_PORT" in errors
    assert errors.count("\n") == 1


def test_another_python_is_left_alone(program: Program, sink: Sink) -> None:
    """A Python without the kit that the program starts says nothing of it."""
    text = """
import os, subprocess, sys
child = "import sys; print('otel_kit' in sys.modules)"
python = [sys.executable, "-S", "-c", "import site, sitecustomize; " + child]
sys.exit(subprocess.run(python, cwd="/").returncode)
"""
    process = program(text, through=THROUGH, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert outcome(process) == (0, "False\n", "")


def test_no_command(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a command there is one sentence that shows how to write one, and exit status 2."""
    assert run_command(["--"]) == 2
    assert "otel-kit run -- python app.py" in capfd.readouterr().err


def test_no_such_command(capfd: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist ends with 127, as in a shell."""
    assert run_command(["--", "no-such-command", "-v"]) == 127
    assert "'no-such-command'" in capfd.readouterr().err


def test_command_that_is_no_program(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be executed ends with 126, as in a shell, and a hint."""
    script = tmp_path / "app.py"
    script.touch()
    assert run_command([str(script)]) == 126
    assert f"python {script}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python app.py", "app"),
        ("python -u -X dev -W ignore services/orders.py --port 1", "orders"),
        ("python -Werror -um shop.orders serve", "shop.orders"),
        ("python -m shop.__main__", "shop"),
        ("python services/orders/__main__.py", "orders"),
        ("python /venv/bin/uvicorn shop:app", "uvicorn"),
        ("python --check-hash-based-pycs always app.py", "app"),
        ("python -c pass", None),
        ("python -", None),
        ("python", None),
    ],
)
def test_name_of_a_program(command: str, name: str | None) -> None:
    """The service is named after the script or module that a Python command line runs."""
    assert program_name(command.split()) == name
