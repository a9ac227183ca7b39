"""The command line: what is refused, and how."""

import socket
from pathlib import Path

import pytest

from demo.cli import main
from demo.faults import Fault


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--once", "--fault", "bank-dwon"], "bank-dwon"),
        (["fault", "bank-dwon", "on"], "bank-dwon"),
        (["--once", "--port", "shop=80"], "shop=80"),
        (["--no-collector", "--explorer"], "--no-collector"),
        (["fault", "bank-down", "on"], "no demo runs in"),
    ],
)
def test_a_wrong_word_is_named(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong use ends with exit code 2 and one line that names what was wrong."""
    assert main(["--dir", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--orders", "0"], ["--rate", "-1"], ["--wait", "soon"]])
def test_a_number_must_be_positive(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A count, rate or wait that makes no sense is refused with exit code 2."""
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_all_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """--list-faults has one line for each fault."""
    assert main(["--list-faults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(Fault)


def test_an_unknown_fault_is_answered_with_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    """The refusal of an unknown fault lists those there are."""
    main(["--fault", "nope"])
    said = capsys.readouterr().err
    assert all(fault in said for fault in Fault)


def test_a_taken_port_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that something listens on is named with what to do, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = ["--dir", str(tmp_path), "--ports", "auto", "--port", f"web={port}", "--once"]
        assert main(given) == 2
    said = capsys.readouterr().err
    assert f"port {port} (web) is taken" in said
    assert "--port web=NUMBER" in said
    assert list((tmp_path / "logs").iterdir()) == []
