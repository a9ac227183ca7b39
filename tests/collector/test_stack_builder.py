"""`make stack`, with programs in place of go, java and mvn: nothing is fetched."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.stack import cache, tools
from collector.stack.parts import PARTS

GOOD_JAVA = "echo 'openjdk version \"17.0.2\"' >&2"
MAVEN = "[ $1 = --version ] && exec echo Apache Maven 3.9.1"
UNFINISHED = """
mkdir lib
printf 'hal' > lib/broker.jar
exec sleep 60
"""
FINISHED = """
mkdir lib || exit 1
printf 'whole' > lib/broker.jar
"""


def _heed_ctrl_c() -> None:
    """As at a prompt: what a shell has started in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Machine:
    """Somebody's machine: a cache, and the programs that are installed."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self._programs = folder / "programs"
        self._programs.mkdir()
        for name in ("sleep", "mkdir", "echo"):
            found = next(
                Path(each) / name for each in ("/usr/bin", "/bin") if Path(each, name).exists()
            )
            (self._programs / name).symlink_to(found)

    def install(self, name: str, script: str) -> None:
        """A program that does this."""
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @contextmanager
    def started(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """`make stack`, as a process group of its own."""
        command = [sys.executable, "-m", "collector.stack", *arguments]
        environment = {"PATH": str(self._programs), "OTEL_KIT_STACK": str(self.cache)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        root = Path(__file__).parents[2]
        with subprocess.Popen(
            command, cwd=root, env=environment, text=True, start_new_session=True,
            preexec_fn=_heed_ctrl_c, **pipes
        ) as process:  # fmt: skip
            yield process

    def stack(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of `make stack`."""
        with self.started(*arguments) as process:
            out, errors = process.communicate()
        return process.returncode, out + errors


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With an empty cache, and without toolchains."""
    return Machine(tmp_path)


def _eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_missing_toolchain_is_asked_for(machine: Machine) -> None:
    """Exit code 2 and one sentence for each; nothing is begun."""
    code, said = machine.stack()

    assert code == 2
    assert "go is not installed: install Go 1.26 or newer (go.dev/dl)" in said
    assert "java is not installed: install Java 17 or newer" in said
    assert "mvn is not installed: install Maven 3.6 or newer" in said
    assert said.count("install Go 1.26") == 1
    assert not machine.cache.exists()


def test_a_toolchain_that_is_too_old_is_named_with_its_version(machine: Machine) -> None:
    """What is there, and what is wanted."""
    machine.install("go", "echo go version go1.20.3 linux/amd64")

    assert machine.stack("jaeger")[0] == 2
    assert "go is go1.20: install Go 1.26 or newer" in machine.stack("jaeger")[1]


def test_what_can_be_built_without_the_missing_is_said(machine: Machine) -> None:
    """The command for the others, ready to be copied."""
    machine.install("java", GOOD_JAVA)
    machine.install("mvn", MAVEN)
    code, said = machine.stack()

    assert code == 2
    assert 'make stack ARGS="kafka"' in said


def test_where_the_programs_are_is_told_without_building(machine: Machine) -> None:
    """A line for each part, in the cache that OTEL_KIT_STACK names."""
    code, said = machine.stack("--where")
    where = dict(line.split(maxsplit=1) for line in said.splitlines())

    assert code == 0
    assert where.keys() == {part.name for part in PARTS}
    assert all(Path(path).is_relative_to(machine.cache) for path in where.values())


def test_an_unknown_part_is_refused_with_the_known_ones(machine: Machine) -> None:
    """As a mistake on the command line."""
    code, said = machine.stack("zipkin")

    assert code == 2
    assert all(part.name in said for part in PARTS)


def test_a_second_run_needs_nothing(machine: Machine) -> None:
    """What is in the cache is there, without toolchains and network."""
    where = machine.stack("--where")[1]
    for line in where.splitlines():
        program = Path(line.split(maxsplit=1)[1])
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
    code, said = machine.stack()

    assert code == 0
    assert said.count("is there") == len(PARTS)


def test_a_build_that_was_killed_is_done_again(machine: Machine) -> None:
    """What was half written does not count as there, and is not kept."""
    machine.install("java", GOOD_JAVA)
    machine.install("mvn", MAVEN + UNFINISHED)
    with machine.started("kafka") as process:
        _eventually(lambda: any(machine.cache.glob("*/lib/broker.jar")))
        os.killpg(process.pid, 9)
    assert not Path(machine.stack("kafka", "--where")[1].split()[1]).exists()

    machine.install("mvn", MAVEN + FINISHED)
    code, said = machine.stack("kafka")
    (folder,) = machine.cache.glob("kafka-*")

    assert code == 0, said
    assert (folder / "lib/broker.jar").read_text() == "whole"
    assert [path.name for path in folder.iterdir()] == ["lib"], "only what is run is kept"


def test_an_interrupted_build_says_that_it_goes_on(machine: Machine) -> None:
    """Ctrl-C ends with the code of an interruption, and no traceback."""
    machine.install("java", GOOD_JAVA)
    machine.install("mvn", MAVEN + UNFINISHED)
    with machine.started("kafka") as process:
        _eventually(lambda: any(machine.cache.glob("*/lib/broker.jar")))
        os.killpg(process.pid, 2)
        said = process.communicate()[1]

    assert process.returncode == 130
    assert "stopped: make stack goes on from here" in said
    assert "Traceback" not in said


def test_a_failed_build_shows_why(machine: Machine) -> None:
    """Exit code 1 and the end of what the tool said."""
    machine.install("java", GOOD_JAVA)
    machine.install("mvn", f"{MAVEN}\necho '[ERROR] no such artifact'; exit 1")
    code, said = machine.stack("kafka")

    assert code == 1
    assert "[ERROR] no such artifact" in said
    assert "run it again" in said


def test_a_registry_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble that passes is waited out."""
    monkeypatch.setattr(tools, "_PAUSE_S", 0)
    script = "[ -f asked ] && echo fetched || { touch asked; echo connection refused >&2; exit 1; }"

    assert tools.run(["sh", "-c", script], tmp_path, os.environ) == "fetched\n"


def test_a_registry_that_never_answers_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three attempts, with what to check."""
    monkeypatch.setattr(tools, "_PAUSE_S", 0)
    script = "echo >> asked; echo dial tcp: i/o timeout; exit 1"

    with pytest.raises(tools.Failed, match="A registry did not answer: check the network"):
        tools.run(["sh", "-c", script], tmp_path, os.environ)
    assert (tmp_path / "asked").read_text().count("\n") == 3


def test_what_is_wrong_for_good_is_not_tried_again(tmp_path: Path) -> None:
    """An error that is no registry's fails at once."""
    script = "echo >> asked; echo syntax error; exit 1"

    with pytest.raises(tools.Failed, match="syntax error"):
        tools.run(["sh", "-c", script], tmp_path, os.environ)
    assert (tmp_path / "asked").read_text().count("\n") == 1


def test_two_do_not_build_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second says that it waits, and builds when the first is done."""
    monkeypatch.setenv("OTEL_KIT_STACK", str(tmp_path))
    waits, built = threading.Event(), threading.Event()

    def second() -> None:
        with cache.alone(waits.set):
            built.set()

    with cache.alone(lambda: pytest.fail("nobody else builds")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(20)
        assert not built.is_set()
    thread.join(20)
    assert built.is_set()
