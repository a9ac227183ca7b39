"""`otel-kit export`: dashboards and rules for those who have no checkout."""

from pathlib import Path

import pytest

from otel_kit.cli import main

ROOT = Path(__file__).parent.parent


def exported(kind: str, directory: Path) -> set[str]:
    """What the command writes, relative to its directory."""
    assert main(["export", kind, str(directory)]) == 0
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_dashboards_are_exported_with_their_provisioning(tmp_path: Path) -> None:
    """Every dashboard, byte for byte, and the provisioning files; none of the code."""
    written = exported("dashboards", tmp_path / "new" / "grafana")
    expected = {path.name for path in (ROOT / "dashboards").glob("*.json")}

    assert written == expected | {
        "provisioning/datasources/otel-kit.yaml",
        "provisioning/dashboards/otel-kit.yaml",
    }
    for name in written:
        copy = tmp_path / "new" / "grafana" / name
        assert copy.read_bytes() == (ROOT / "dashboards" / name).read_bytes()


def test_rules_are_exported_with_their_configuration_and_runbook(tmp_path: Path) -> None:
    """As the configuration refers to the rules, and the alerts to the runbook."""
    rules = {f"rules/{path.name}" for path in (ROOT / "collector/prometheus/rules").glob("*")}

    assert exported("rules", tmp_path) == rules | {"prometheus.yaml", "docs/runbook.md"}


def test_the_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One path a line, for scripts."""
    written = exported("rules", tmp_path)

    assert {str(tmp_path / name) for name in written} == set(capsys.readouterr().out.splitlines())


def test_a_newer_export_replaces_an_older_one(tmp_path: Path) -> None:
    """A dashboard that is there already is written anew."""
    (tmp_path / "queues.json").write_text("old")
    exported("dashboards", tmp_path)

    assert (tmp_path / "queues.json").read_text() != "old"


def test_a_folder_that_cannot_be_made_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in the way is named, with exit code 2."""
    (tmp_path / "file").touch()

    assert main(["export", "rules", str(tmp_path / "file")]) == 2
    assert "choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["export"], ["export", "recipes", "."], ["export", "rules"]])
def test_wrong_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be exported is refused with what can, exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err
