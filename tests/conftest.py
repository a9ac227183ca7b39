"""Options and fixtures of all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--subject",
        choices=("kit", "contrib", "both"),
        default="kit",
        help="whose instrumentation the contract suite is held against",
    )
