"""What a wheel holds."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_only_otel_kit_is_installed(tmp_path: Path) -> None:
    """Nothing generic such as `demo` or `tests` lands in anyone's site-packages."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert {"otel_kit"} == tops
    assert "otel_kit/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_version_is_in_the_changelog_or_unreleased() -> None:
    """Every release has its section."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert f"## {version}" in changelog or "## Unreleased" in changelog
