"""How the explorer is started and ended: the real command."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets import Origin
from websockets.exceptions import InvalidStatus
from websockets.protocol import State
from websockets.sync.client import connect

from otel_kit.cli import main
from tests.explorer.serving import OTEL_KIT, explorer, url_of

FREE = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--query-port", "0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_explore_serves_and_ends_cleanly(number: int) -> None:
    """One line says where, pages are served there, and a signal ends it with exit code 0."""
    with explorer() as running:
        assert httpx.get(f"{running.url}/_stcore/health").text == "ok"
        assert running.end(number) == 0
        assert running.process.stdout is not None
        assert running.process.stdout.read() == ""


def test_a_foreign_name_is_refused() -> None:
    """A web page that points a name of its own here is answered 403; an allowed name is served."""
    with explorer("--host", "0.0.0.0", "--allowed-host", "ops.example") as running:
        url = running.url.replace("0.0.0.0", "127.0.0.1")

        def status(host: str, path: str = "/") -> int:
            return httpx.get(url + path, headers={"host": host}).status_code

        assert [status(host) for host in ("localhost:1", "10.0.0.7", "ops.example")] == [200] * 3
        assert status("evil.example") == 403


def test_a_page_of_another_site_cannot_talk_to_ours() -> None:
    """Its WebSocket, which any page may open to localhost, is answered 403; our own is not."""
    with explorer() as running:
        stream = running.url.replace("http", "ws") + "/_stcore/stream"
        for origin in ("https://evil.example", "null"):
            with pytest.raises(InvalidStatus, match="403"), connect(stream, origin=Origin(origin)):
                pass
        with connect(stream, origin=Origin(running.url)) as ours:
            assert ours.protocol.state is State.OPEN


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The error is one line that names the port and the option, with exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = subprocess.run(
            [*OTEL_KIT, "explore", "--port", str(port)], capture_output=True, text=True
        )
        assert main(["up", "--ephemeral", *FREE, "--explorer-port", str(port)]) == 2

    said = f"otel-kit: port {port} is taken by another program; choose another with "
    assert (code.returncode, code.stderr) == (2, f"{said}--port\n")
    assert capsys.readouterr().err == f"{said}--explorer-port\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), ("{", "is not JSON"), ("{}", "not a saga bundle")],
)
def test_a_file_that_is_no_saga_is_refused(
    content: str | None, reason: str, tmp_path: Path
) -> None:
    """`--bundle` names the file and what is wrong with it, and exits 2 before it serves."""
    path = tmp_path / "order.json"
    if content is not None:
        path.write_text(content)
    done = subprocess.run(
        [*OTEL_KIT, "explore", "--bundle", str(path)], capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "order.json" in done.stderr
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_explorer_of_up_ends_with_it(number: int) -> None:
    """However `otel-kit up` ends, killed outright included, its explorer ends too."""
    command = [*OTEL_KIT, "up", "--ephemeral", *FREE, "--explorer-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert httpx.get(f"{url_of(process)}/_stcore/health").text == "ok"
        [child] = _children(process.pid)
        with _end_of(child) as ended:
            process.send_signal(number)
            assert process.wait(20) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
            assert select.select([ended], [], [], 20)[0], "the explorer outlived its parent"


def test_up_goes_on_without_its_explorer() -> None:
    """An explorer that dies is reported, and the collector still answers."""
    command = [*OTEL_KIT, "up", "--ephemeral", *FREE, "--explorer-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout)
            query = next(line.split()[1] for line in lines if line.startswith("query"))
            url_of(process)
            [child] = _children(process.pid)
            os.kill(child, signal.SIGKILL)
            assert "the explorer ended with code -9" in next(lines)
            assert httpx.get(f"{query}/healthz").json()["status"] == "ok"
        finally:
            process.terminate()


def test_without_the_extra_the_explorer_names_it() -> None:
    """`explore` exits 2, `up` says it and goes on; both name the extra."""
    program = (
        "import sys; sys.modules['streamlit'] = None; from otel_kit.cli import main;"
        "sys.exit(main({arguments}))"
    )
    without = [sys.executable, "-c", program.format(arguments=["explore"])]
    done = subprocess.run(without, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'otel-kit[explorer]'" in done.stderr

    without = [sys.executable, "-c", program.format(arguments=["up", "--ephemeral", *FREE])]
    with subprocess.Popen(without, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = next(process.stdout), next(process.stdout)
        process.terminate()
        assert process.wait(20) == 0
    assert "pip install 'otel-kit[explorer]'" in first
    assert second.startswith("OTLP gRPC")


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def _end_of(pid: int) -> Iterator[int]:
    """A file descriptor that becomes readable when the process has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
