"""The command line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otel_kit.cli import main
from tests.embedded.running import Child, collector


def test_up_serves_and_ends_cleanly_on_sigterm_and_ctrl_c(tmp_path: Path) -> None:
    """`otel-kit up` prints its URLs, serves, and exits 0 on SIGTERM as on Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with Child(tmp_path) as child:
            assert child.client.get("/healthz").json()["status"] == "ok"
            assert child.end(number) == 0


def test_up_without_the_extra_says_what_to_install() -> None:
    """Without the embedded extra the command names it and exits 2."""
    program = (
        "import sys; sys.modules['starlette'] = None; from otel_kit.cli import main;"
        "sys.exit(main(['up', '--ephemeral']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 2
    assert "pip install 'otel-kit[embedded]'" in done.stderr


def test_the_command_line_needs_no_extra() -> None:
    """Help is shown without importing anything of an extra."""
    program = (
        "import sys; from otel_kit.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'starlette', 'uvicorn', 'zstandard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 0
    assert "up" in done.stdout


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A taken port is an error of one line that names the option, with exit code 2."""
    with collector() as client:
        port = client.query_url.rpartition(":")[2]
        free = ["--otlp-grpc-port", "0", "--otlp-http-port", "0"]
        code = main(["up", "--ephemeral", "--no-explorer", *free, "--query-port", port])

    assert code == 2
    assert capsys.readouterr().err == (
        f"otel-kit: port {port} is taken by another program; choose another with --query-port\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sideways"],
        ["up", "--query-port", "65536"],
        ["up", "--query-port", "http"],
        ["up", "--max-size", "big"],
        ["up", "--stuck-after", "-1"],
        ["up", "--stuck-after", "nan"],
        ["up", "--data", "here", "--ephemeral"],
    ],
)
def test_bad_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An argument that makes no sense exits 2 and is named."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_data_directory_that_is_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A data directory that cannot be made is named, with exit code 2."""
    (tmp_path / "file").touch()
    ports = ["--otlp-grpc-port", "0", "--otlp-http-port", "0", "--query-port", "0"]

    assert main(["up", "--no-explorer", "--data", str(tmp_path / "file"), *ports]) == 2
    assert "--data" in capsys.readouterr().err


def test_a_size_too_small_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A store too small to work is refused with the least size."""
    ports = ["--otlp-grpc-port", "0", "--otlp-http-port", "0", "--query-port", "0"]

    assert main(["up", "--no-explorer", "--ephemeral", "--max-size", "1MB", *ports]) == 2
    assert "8MB" in capsys.readouterr().err
