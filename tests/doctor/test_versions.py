"""Whether an installed version is one that an integration supports."""

import pytest

from otel_kit.doctor.libraries import _UNSEEN, _supported
from otel_kit.integrations import CATALOGUE


@pytest.mark.parametrize(
    ("version", "within"),
    [("0.25", True), ("0.28.1", True), ("0.24.9", False), ("1.0", False), ("0.30rc1", True)],
)
def test_a_version_is_within_its_clauses(version: str, within: bool) -> None:
    """`>=` includes its bound, `<` does not, and a pre-release counts as its release."""
    assert within == _supported(version, "httpx>=0.25,<1")


def test_what_the_kit_cannot_see_is_in_no_catalogue() -> None:
    """A library that has its integration is not said to escape."""
    assert CATALOGUE.keys().isdisjoint(_UNSEEN)
