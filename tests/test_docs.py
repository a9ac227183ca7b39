"""The docs and the code say the same."""

import re
from pathlib import Path

import pytest

from docs import write_scaling, write_settings
from otel_kit import errors, names
from otel_kit.integrations import CATALOGUE, load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TELEMETRY = (ROOT / "docs/telemetry.md").read_text()

OURS = [
    value
    for name, value in vars(names).items()
    if name.isupper() and re.match(r"(otel_kit|saga)\.|traces_", value)
]


@pytest.mark.parametrize("library", CATALOGUE)
def test_every_integration_is_in_the_readme(library: str) -> None:
    """With the versions that its declaration supports."""
    supports = re.sub(r"^[\w-]+", "", load(library).supports)

    assert f"| `{library}` | {supports} |" in README


@pytest.mark.parametrize("name", OURS)
def test_every_name_of_ours_is_documented(name: str) -> None:
    """Metrics, attributes and events are API."""
    assert f"`{name}`" in TELEMETRY


@pytest.mark.parametrize("error_class", errors.ErrorClass)
def test_every_error_class_is_documented(error_class: errors.ErrorClass) -> None:
    """In the reference, and in the README's list."""
    assert f"`{error_class}`" in TELEMETRY
    assert f"`{error_class}`" in README


def test_the_settings_page_is_up_to_date() -> None:
    """`make docs` writes it from what `otel_kit.settings` declares."""
    assert write_settings.page() == (ROOT / "docs/settings.md").read_text()


def test_the_table_of_the_scaling_page_is_up_to_date() -> None:
    """`make docs` writes it from `collector.sizing`."""
    assert write_scaling.page() == (ROOT / "docs/scaling.md").read_text()


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda p: p.name
)
def test_no_page_has_the_marks_of_a_merge(page: Path) -> None:
    assert not re.search(r"^(<{7}|={7}|>{7})( |$)", page.read_text(), re.M)
