"""Options and fixtures of all tests."""

import pytest
from hypothesis import settings

settings.register_profile("kit", deadline=None, derandomize=True)
settings.load_profile("kit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--subject",
        choices=("kit", "contrib", "both"),
        default="kit",
        help="whose instrumentation the contract suite is held against",
    )
