"""Options and fixtures of all tests."""

import pytest
from hypothesis import settings

pytest_plugins = ["otel_kit.testing.contract.plugin"]

settings.register_profile("kit", deadline=None, derandomize=True)
settings.load_profile("kit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--subject",
        choices=("kit", "contrib", "both"),
        default="kit",
        help="whose instrumentation the contract suite is held against",
    )
    parser.addoption(
        "--stack",
        action="store_true",
        help="also run what needs the real Collector, Jaeger, Prometheus and Kafka",
    )
    parser.addoption(
        "--outage",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long a part of the real stack is away in the tests of its faults (10)",
    )
