"""The page that leads through writing an integration, followed to the letter."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs/writing-an-integration.md").read_text()
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.M | re.S)
METADATA = "Metadata-Version: 2.1\nName: urllib-request-otel\nVersion: 1\n"


def test_the_page_leads_to_an_integration_that_keeps_the_contract(tmp_path: Path) -> None:
    """Its files, installed as they stand, pass every scenario of what sends requests."""
    files = dict(FILE.findall(PAGE))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    install(tmp_path, files["pyproject.toml"])

    scenarios = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert scenarios.returncode == 0, scenarios.stdout[-3000:]
    passed = re.search(r"^(\d+) passed in", scenarios.stdout, re.M)
    assert passed is not None, scenarios.stdout[-3000:]
    assert int(passed[1]) >= 25


def install(folder: Path, pyproject: str) -> None:
    """As pip does it in a folder that is on the path."""
    information = folder / "urllib_request_otel-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(METADATA)
    section = pyproject.replace('[project.entry-points."otel_kit.integrations"]', "")
    entry = section.strip().replace('"', "")
    (information / "entry_points.txt").write_text(f"[otel_kit.integrations]\n{entry}\n")
