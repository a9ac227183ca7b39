"""What a wheel holds."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from otel_kit._bundled import KINDS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of a wheel."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_only_otel_kit_is_installed(names: list[str]) -> None:
    """Nothing generic such as `demo` or `tests` lands in anyone's site-packages."""
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert {"otel_kit"} == tops
    assert "otel_kit/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_what_can_be_exported_is_installed(names: list[str]) -> None:
    """The wheel has every file that `otel-kit export` writes, and no others of their folders."""
    bundled = {name.removeprefix("otel_kit/_bundled/") for name in names if "/_bundled/" in name}
    exported = {
        str(path.relative_to(ROOT))
        for patterns in KINDS.values()
        for folder, pattern in patterns
        for path in (ROOT / folder).glob(pattern)
    }

    assert bundled == exported


def test_the_version_is_in_the_changelog_or_unreleased() -> None:
    """Every release has its section."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert f"## {version}" in changelog or "## Unreleased" in changelog
